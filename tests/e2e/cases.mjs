// The cases in order; later ones use what earlier ones made (account, project, run).
import {accounts} from './cases/accounts.mjs';
import {labelling} from './cases/labelling.mjs';
import {road} from './cases/road.mjs';
import {safety} from './cases/safety.mjs';
import {access} from './cases/access.mjs';

export const cases = [...accounts, ...road.before, ...labelling, ...road.after, ...safety, ...access];
