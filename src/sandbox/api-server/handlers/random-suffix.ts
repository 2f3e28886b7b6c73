import type { Random } from '../../../base/random.ts'

/** Letters and digits that form no words: the alphabet that Kubernetes uses for generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

export const randomSuffix = (random: Random): string =>
  Array.from({ length: 5 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
