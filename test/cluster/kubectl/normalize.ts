/** Values that differ between two runs by chance, or by the place of the run. */
export interface Surroundings {
  namespace: string
  /** Folder of the scenario's files. */
  folder: string
  server: string
}

// Kubernetes makes random names of these characters only, so that the names do not spell words.
const random = '[bcdfghjklmnpqrstvwxz2456789]'

const rules: [pattern: RegExp, replacement: string][] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  // Times in `describe`: Wed, 25 Nov 2026 09:04:06 +0000.
  [/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>'],
  // Times in the headings of `diff`.
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, '<time>'],
  [/(resource ?version"?: *"?)\d+/gi, '$1<version>'],
  [/\b10\.96\.\d+\.\d+\b/g, '<service address>'],
  [/kubectl-edit-\d+\.yaml/g, 'kubectl-edit-<number>.yaml'],
  [/\/tmp\/(LIVE|MERGED)-\d+/g, '/tmp/$1-<number>'],
  [/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=<hash>'],
  // A 32-bit number in decimal, with each digit replaced by another character; it is sometimes short.
  [new RegExp(`-${random}{6,10}\\b`, 'g'), '-<hash>'],
  [new RegExp(`(pod-template-hash[=:] ?"?)${random}{6,10}`, 'g'), '$1<hash>'],
  [new RegExp(`-${random}{5}\\b`, 'g'), '-<random>'],
  [/(?<=^|\s)(\d+[dhms]){1,2}(?=\s|$)/gm, '<age>'],
  [/\(x\d+ over <age>\)/g, '(repeated)'],
]

/** A column is as wide as its longest cell, which may be an age. */
const narrow = (line: string): string => line.replace(/(?<=\S)\s{2,}/g, '  ').trimEnd()

/** The output of a command, without differences between equal runs. */
export function normalize(text: string, { namespace, folder, server }: Surroundings): string {
  let result = text.replaceAll(namespace, '<namespace>').replaceAll(folder, '<folder>').replaceAll(server, '<server>')
  for (const [pattern, replacement] of rules) result = result.replace(pattern, replacement)
  return result.split('\n').map(narrow).join('\n')
}
