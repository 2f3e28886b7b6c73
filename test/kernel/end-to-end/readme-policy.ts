import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const page = readFileSync(join(import.meta.dirname, '../../../docs/install.md'), 'utf8')

const section = (title: string): string => new RegExp(`^## ${title}$\n([\\s\\S]*?)^## `, 'm').exec(page)?.[1] ?? ''

/** The commands of kubectl in a section of docs/install.md, word by word. */
const commands = (title: string): string[][] =>
  Array.from(section(title).matchAll(/^ {4}kubectl (.+?)(?: +#.*)?$/gm), ([, words]) => words!.split(' '))

/** What docs/install.md says of the first policy, and of the first violation. */
export const firstPolicy = {
  policy: /^```yaml\n([\s\S]*?)^```/m.exec(section('The first policy'))?.[1] ?? '',
  commands: commands('The first policy'),
  /** Each runs in a container of a pod: what it is of, and the command there. */
  inPods: commands('The first violation')
    .filter((words) => words.includes('exec'))
    .map((words) => ({
      namespace: words[words.indexOf('-n') + 1]!,
      of: words[words.indexOf('exec') + 1]!,
      command: words.slice(words.indexOf('--') + 1),
    })),
}
