import { expect } from 'chai'
import { exitOf } from '../../../src/sandbox/kubelet/container-exit.ts'
import type { CriContainerStatus } from '../../../src/sandbox/kubelet/cri-types.ts'

const status = (fields: Partial<CriContainerStatus>): CriContainerStatus =>
  ({ exitCode: 0, reason: '', message: '', finishedAt: '0', ...fields }) as CriContainerStatus

const rows: { title: string; fields: Partial<CriContainerStatus>; words?: string; exit: object }[] = [
  { title: 'good', fields: {}, exit: { exitCode: 0, reason: 'Completed' } },
  { title: 'bad', fields: { exitCode: 3 }, exit: { exitCode: 3, reason: 'Error' } },
  {
    title: 'of the runtime’s own reason',
    fields: { exitCode: 137, reason: 'OOMKilled' },
    exit: { exitCode: 137, reason: 'OOMKilled' },
  },
  {
    title: 'with last words',
    fields: { exitCode: 1 },
    words: 'bye',
    exit: { exitCode: 1, reason: 'Error', message: 'bye' },
  },
  {
    title: 'with what the runtime and the process say',
    fields: { exitCode: 1, message: 'start' },
    words: 'bye',
    exit: { exitCode: 1, reason: 'Error', message: 'start: bye' },
  },
  {
    title: 'with its time, to the millisecond',
    fields: { finishedAt: '1767225600123999999' },
    exit: { exitCode: 0, reason: 'Completed', finishedAt: 1_767_225_600_123 },
  },
]

describe('the end of a container', () => {
  for (const { title, fields, words, exit } of rows)
    it(`is ${title}`, () => expect(exitOf(status(fields), words)).to.deep.equal(exit))
})
