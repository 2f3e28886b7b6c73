/** Values that differ between two runs by chance, or by the place of the run. */
export interface Surroundings {
  namespace: string
  /** Where the files are. */
  folder: string
  server: string
}

// Kubernetes makes names out of these only, so that they spell no word.
const random = '[bcdfghjklmnpqrstvwxz2456789]'

const rules: [pattern: RegExp, replacement: string][] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  // As in `describe`: Wed, 25 Nov 2026 09:04:06 +0000.
  [/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>'],
  // As in the headings of `diff`.
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, '<time>'],
  [/(resource ?version"?: *"?)\d+/gi, '$1<version>'],
  [/\b10\.96\.\d+\.\d+\b/g, '<service address>'],
  [/kubectl-edit-\d+\.yaml/g, 'kubectl-edit-<number>.yaml'],
  [/\/tmp\/(LIVE|MERGED)-\d+/g, '/tmp/$1-<number>'],
  [/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=<hash>'],
  // A number of 32 bits in decimal, each digit as another character: now and then a short one.
  [new RegExp(`-${random}{6,10}\\b`, 'g'), '-<hash>'],
  [new RegExp(`(pod-template-hash[=:] ?"?)${random}{6,10}`, 'g'), '$1<hash>'],
  [new RegExp(`-${random}{5}\\b`, 'g'), '-<random>'],
  [/(?<=^|\s)(\d+[dhms]){1,2}(?=\s|$)/gm, '<age>'],
  [/\(x\d+ over <age>\)/g, '(repeated)'],
]

/** Columns are as wide as their longest cell, which may be an age. */
const narrow = (line: string): string => line.replace(/(?<=\S)\s{2,}/g, '  ').trimEnd()

/** The output of a command, made equal where two runs of it may differ. */
export function normalize(text: string, { namespace, folder, server }: Surroundings): string {
  let result = text.replaceAll(namespace, '<namespace>').replaceAll(folder, '<folder>').replaceAll(server, '<server>')
  for (const [pattern, replacement] of rules) result = result.replace(pattern, replacement)
  return result.split('\n').map(narrow).join('\n')
}
