import type { Socket } from 'node:net'
import { expect } from 'chai'
import { MAX_PIECES, type ModelReport } from '../../../src/api/model-report.ts'
import type { Exchange, Reply } from '../../../src/http/routes.ts'
import { modelDataHandler } from '../../../src/manager/http/model-data-handler.ts'
import { ManualClock } from '../../kube/harness.ts'

const agentUser = 'system:serviceaccount:varmor:varmor-agent'
const nodeKey = 'authentication.kubernetes.io/node-name'
const report = (more: Partial<ModelReport> = {}): ModelReport => ({
  ...{ node: 'n1', namespace: 'demo', name: 'varmor-demo-web', recording: 'u.1', digest: 'a'.repeat(64), pieces: 2 },
  summary: { began: '2026-01-01T00:00:00.000Z', records: 1, ofRuntime: 0, lost: 0, leftOut: [], gaps: [] },
  ...more,
})

function setUp(leads = true) {
  const taken: ModelReport[] = []
  const handler = modelDataHandler({
    verify: async (token) => ({ user: { username: agentUser, extra: { [nodeKey]: [token] } } }),
    agentUser,
    allowUnboundTokens: false,
    leadership: () => ({ leads, leader: 'other' }),
    take: async (one) => {
      taken.push(one)
      return { state: 'wanted', next: 0, retrySeconds: 10 }
    },
    clock: new ManualClock(),
  })
  const post = async (body: unknown): Promise<Reply> => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer n1' }
    const exchange: Exchange = { path: '/apis/v1/data', headers, socket: { remoteAddress: '10.0.0.1' } as Socket }
    return (await handler.admit!(exchange)) ?? handler.handle(Buffer.from(JSON.stringify(body)), exchange)
  }
  return { taken, post }
}

describe('what agents recorded', () => {
  it('is taken, and answered with what is wanted next', async () => {
    const { taken, post } = setUp()
    const piece = { index: 1, content: { result: { seccomp: { syscalls: ['openat'] } }, leftOut: [] } }
    expect(JSON.parse(String((await post(report({ piece }))).body))).to.deep.equal({
      ...{ state: 'wanted', next: 0, retrySeconds: 10 },
    })
    expect(taken).to.deep.equal([report({ piece })])
  })

  it('is of the node of the token alone', async () => {
    const { taken, post } = setUp()
    expect((await post(report({ node: 'n2' }))).status).to.equal(403)
    expect(taken).to.deep.equal([])
  })

  it('is for the manager that leads', async () => {
    expect((await setUp(false).post(report())).status).to.equal(503)
  })

  const content = { result: {}, leftOut: [] }
  const bad: [string, unknown][] = [
    ['a piece behind the last', report({ piece: { index: 2, content } })],
    ['too many pieces', report({ pieces: MAX_PIECES + 1 })],
    ['no digest', report({ digest: 'abc' })],
    [
      'a result of another form',
      report({ piece: { index: 0, content: { result: { seccomp: { syscalls: [7] } } } as never } }),
    ],
    ['nothing at all', null],
  ]
  for (const [title, body] of bad)
    it(`is not taken with ${title}`, async () => {
      const { taken, post } = setUp()
      expect((await post(body)).status).to.equal(400)
      expect(taken).to.deep.equal([])
    })
})
