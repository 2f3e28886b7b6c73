import type { Random } from '../../../base/random.ts'

/** Letters and digits that do not form words: the alphabet of Kubernetes' generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

export const randomSuffix = (random: Random): string =>
  Array.from({ length: 5 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
