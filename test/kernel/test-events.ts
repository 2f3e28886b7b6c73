export interface InGuestOptions {
  grep?: string
  color: boolean
}

/** Reports of a guest's tests to the host, one per line. `done` comes after mocha's own summary. */
export interface TestEvent {
  kind: 'start' | 'pass' | 'fail' | 'pending' | 'done'
  title: string
}

/** A character that does not occur in texts (record separator). */
const separator = '\u001e'

export const writeEvent = (event: TestEvent): string => `${separator}${JSON.stringify(event)}\n`

/** @returns undefined for a line that is not an event */
export const readEvent = (line: string): TestEvent | undefined =>
  line.startsWith(separator) ? (JSON.parse(line.slice(separator.length)) as TestEvent) : undefined
