// A reward in a line of words. Pure.

import type {RewardPart} from '../api/types';
import {figure} from './format';

/** "short v2", or "2 × tidy-reward version 1 + short v2". */
export function rewardText(parts: readonly RewardPart[]): string {
  return parts.map((part) => `${part.weight === 1 ? '' : `${figure(part.weight)} × `}${part.label ?? part.type?.replaceAll('_', ' ') ?? part.name}`).join(' + ');
}
