import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { FilePosition } from '../../../src/audit/source/file-position.ts'
import { FollowedFile, type FollowOptions } from '../../../src/audit/source/followed-file.ts'
import { notices, Reading, rest, textOf } from './notices.ts'

export const quick = { pollMs: 10, napMs: 1 }
export const open = (path: string, options: FollowOptions = {}) => FollowedFile.open(path, { ...quick, ...options })

/** All batches that a source yields now from a position on, and its position afterwards. */
export async function readAll(path: string, options: FollowOptions) {
  const log = notices()
  const source = await open(path, { notify: log.notify, ...options })
  const text = (await rest(source)).map(textOf).join('')
  return { text, position: source.position, stats: source.stats(), said: log.said }
}

/** Reads across rotated files until the expected text arrives, or the time for it is over. */
export async function readUntil(path: string, expected: string, options: FollowOptions) {
  const log = notices()
  const source = await open(path, { notify: log.notify, ...options })
  const reading = new Reading(source)
  const text = await reading.until((now) => now.length >= expected.length)
  source.stop()
  await reading.ended
  expect(text).to.equal(expected)
  return { stats: source.stats(), said: log.said, position: source.position }
}

export async function positionAfter(path: string, text: string): Promise<FilePosition> {
  writeFileSync(path, text)
  return (await readAll(path, { from: 'beginning' })).position
}
