import { RecentMap } from '../../base/recent-map.ts'
import { comment } from './quoted.ts'

/** Rules with one purpose. The purpose becomes a comment, because administrators read the file on the node. */
export interface Section {
  why: readonly string[]
  rules: readonly string[]
}

export interface ProfileBlock {
  name: string
  complain: boolean
  sections: readonly Section[]
  children: readonly ProfileBlock[]
}

const WIDTH = 116

/** Wrapped reasons, because most profiles have the same reasons. */
const known = new RecentMap<string, readonly string[]>(256)

function wrapped(text: string): readonly string[] {
  const lines = known.get(text) ?? wrap(text)
  known.set(text, lines)
  return lines
}

/** Comment lines of at most 120 columns. */
function wrap(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= WIDTH) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map(comment)
}

function sectionLines({ why, rules }: Section): string[] {
  return ['', ...why.flatMap(wrapped), ...rules]
}

/**
 * Mounts of the runtime may be outside of the process's root (attach_disconnected), and open files may be deleted
 * (mediate_deleted). containerd's profile has both flags too.
 */
function flags(complain: boolean): string {
  return `flags=(attach_disconnected,mediate_deleted${complain ? ',complain' : ''})`
}

function blockLines({ name, complain, sections, children }: ProfileBlock): string[] {
  const lines = [...sections.flatMap(sectionLines), ...children.flatMap((child) => ['', ...blockLines(child)])]
  return [
    `profile ${name} ${flags(complain)} {`,
    ...lines.slice(1).map((line) => (line === '' ? '' : `  ${line}`)),
    '}',
  ]
}

/** The file: a heading, the ABI, and the profile. */
export function profileText(about: readonly string[], abi: string, block: ProfileBlock): string {
  const head = [...about.flatMap(wrapped), `abi <abi/${abi}>,`, 'include if exists <tunables/global>', '']
  return `${[...head, ...blockLines(block)].join('\n')}\n`
}
