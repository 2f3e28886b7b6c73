import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const page = readFileSync(join(import.meta.dirname, '../../../docs/install.md'), 'utf8')

const section = (title: string): string => new RegExp(`^## ${title}$\n([\\s\\S]*?)^## `, 'm').exec(page)?.[1] ?? ''

/** The kubectl commands of a section of docs/install.md, verbatim. */
const commands = (title: string): string[][] =>
  Array.from(section(title).matchAll(/^ {4}kubectl (.+?)(?: +#.*)?$/gm), ([, words]) => words!.split(' '))

/** The first policy and the first violation that docs/install.md shows. */
export const firstPolicy = {
  policy: /^```yaml\n([\s\S]*?)^```/m.exec(section('The first policy'))?.[1] ?? '',
  commands: commands('The first policy'),
  /** Commands to run in a pod's container, and what each command shows. */
  inPods: commands('The first violation')
    .filter((words) => words.includes('exec'))
    .map((words) => ({
      namespace: words[words.indexOf('-n') + 1]!,
      of: words[words.indexOf('exec') + 1]!,
      command: words.slice(words.indexOf('--') + 1),
    })),
}
