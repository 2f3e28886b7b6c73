import type { Random } from '../../../base/random.ts'

/** Letters and digits that make no words: Kubernetes' alphabet for generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
const longestBase = 63 - suffixLength

export function randomSuffix(random: Random): string {
  let suffix = ''
  for (let i = 0; i < suffixLength; i++) suffix += alphabet[Math.floor(random() * alphabet.length)]
  return suffix
}

/** `metadata.generateName` with a random end. */
export const generatedName = (base: string, random: Random): string => base.slice(0, longestBase) + randomSuffix(random)
