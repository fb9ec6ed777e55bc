// Start: colours before the first paint of content, then the page.

import './app';
import {startOutbox} from './api/answers';
import {session} from './api/session';
import {applyTheme} from './components/theme-switch';

applyTheme();
startOutbox();
void session.load();
