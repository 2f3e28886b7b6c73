import type { Socket } from 'node:net'
import { expect } from 'chai'
import { defaultPolicySettings } from '../../actors/policy/ports.ts'
import type { AgentReport } from '../../src/api/agent-report.ts'
import { mebibyte } from '../../src/base/bytes.ts'
import type { Exchange, Reply } from '../../src/http/routes.ts'
import type { TokenVerdict } from '../../src/kube/token-review.ts'
import { reportInterval } from '../../src/manager/default-limits.ts'
import { withNode } from '../../src/manager/http/node-of-token.ts'
import { ReportGate } from '../../src/manager/http/report-gate.ts'
import { type ReportHandlerOptions, reportHandler } from '../../src/manager/http/report-handler.ts'
import { statusRoutes } from '../../src/manager/http/status-routes.ts'
import { TokenVerifier } from '../../src/manager/http/token-verifier.ts'
import { connectionLimits } from '../../src/manager/servers.ts'
import { ManualClock } from '../kube/harness.ts'

const agentUser = 'system:serviceaccount:varmor:varmor-agent'
const nodeKey = 'authentication.kubernetes.io/node-name'
const user = (node: string | undefined, username = agentUser): TokenVerdict => ({
  user: { username, ...(node !== undefined && { extra: { [nodeKey]: [node] } }) },
})

function setUp(options: Partial<ReportHandlerOptions> = {}) {
  const clock = new ManualClock()
  const taken: AgentReport[] = []
  const outcomes: { status: number; profiles: number }[] = []
  const handler = reportHandler({
    verify: async (token) => (token === 'bad' ? { refused: 'the token is not valid' } : user(token)),
    agentUser,
    allowUnboundTokens: false,
    leadership: () => ({ leads: true, leader: 'me' }),
    take: (report) => {
      taken.push(report)
      return { epoch: 'e1', complete: false, intervalSeconds: 15 }
    },
    clock,
    observe: (outcome) => outcomes.push(outcome),
    ...options,
  })
  return { clock, taken, outcomes, handler }
}

const report = (more: Partial<AgentReport> = {}): AgentReport => ({
  node: 'n1',
  agent: 'a',
  epoch: '',
  complete: true,
  profiles: [{ namespace: 'demo', name: 'varmor-demo-web', uid: 'u', generation: 1, state: 'loaded' }],
  ...more,
})

async function post(
  { handler }: ReturnType<typeof setUp>,
  body: unknown = report(),
  headers: Record<string, string | undefined> = {},
): Promise<Reply & { value: unknown }> {
  const exchange = {
    path: '/apis/v1/status',
    headers: { 'content-type': 'application/json', authorization: 'Bearer n1', ...headers },
    socket: { remoteAddress: '10.0.0.1' } as Socket,
  } satisfies Exchange
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const refusal = await handler.admit!(exchange)
  const reply = refusal ?? (await handler.handle(bytes, exchange))
  if (refusal === undefined) handler.done?.(exchange)
  return { ...reply, value: JSON.parse(String(reply.body).startsWith('{') ? String(reply.body) : 'null') }
}

describe('reports of agents', () => {
  it('are taken and answered', async () => {
    const set = setUp()
    const { status, value } = await post(set)
    expect({ status, value }).to.deep.equal({
      status: 200,
      value: { epoch: 'e1', complete: false, intervalSeconds: 15 },
    })
    expect(set.taken).to.deep.equal([report()])
    expect(set.outcomes).to.deep.equal([{ status: 200, profiles: 1 }])
  })

  it('wait while the work of earlier ones is not done, and are refused where too many wait', async () => {
    const clock = new ManualClock()
    let behind = true
    const gate = new ReportGate({ clock, isBehind: () => behind, waiting: 1 })
    const set = setUp({ gate })
    const first = post(set)
    await new Promise((resolve) => setImmediate(resolve))
    const { status, headers, value } = await post(set, report({ node: 'n2' }), { authorization: 'Bearer n2' })
    expect({ status, after: headers?.['retry-after'] }).to.deep.equal({ status: 429, after: '2' })
    expect((value as { error: string }).error).to.match(/Too many reports are waiting/)
    expect(set.taken).to.deep.equal([])
    behind = false
    await clock.advance(1)
    expect((await first).status).to.equal(200)
    expect(gate.depth).to.deep.equal({ inside: 0, waiting: 0 })
  })

  it('cost a node its turns by their size, as to read one holds up all others', async () => {
    const set = setUp()
    const large = JSON.stringify({ ...report(), padding: 'x'.repeat(4 * mebibyte - 1_000) })
    const statuses = async (count: number, body: unknown) => {
      const replies = []
      for (let i = 0; i < count; i++) replies.push((await post(set, body)).status)
      return replies
    }
    // The limit is twenty reports at once, and a large report counts as sixteen.
    expect(await statuses(6, large)).to.deep.equal([200, 200, 429, 429, 429, 429])
    await set.clock.advance(6_000)
    expect(await statuses(2, report())).to.deep.equal([429, 429])
    await set.clock.advance(3_000)
    expect(await statuses(2, report())).to.deep.equal([200, 200])
  })

  it('do not keep each other out where tokens name no node and many nodes share an address', async () => {
    const gate = new ReportGate({ clock: new ManualClock(), isBehind: () => false, atOnce: 1 })
    const set = setUp({ gate, allowUnboundTokens: true, verify: async () => user(undefined) })
    const nodes = ['n1', 'n2', 'n3', 'n4']
    const send = (node: string) => post(set, report({ node }), { authorization: `Bearer ${node}` })
    expect((await Promise.all(nodes.map(send))).map(({ status }) => status)).to.deep.equal([200, 200, 200, 200])
  })

  it('come less often where there are very many nodes, and twice before a node is called silent', () => {
    const rows = [10, 1_000, 6_000, 8_000, 10_000, 100_000].map((nodes) => reportInterval(15, nodes))
    expect(rows).to.deep.equal([15, 15, 15, 20, 22, 22])
    expect(reportInterval(60, 10)).to.equal(60)
    expect(2 * reportInterval(15, 100_000)).to.be.below(defaultPolicySettings.silentAfter / 1_000)
  })

  it('come over connections that stay open, as many as the memory of the manager has room for', () => {
    const rows = [0, 256, 512, 1_024, 1_536, 65_536].map((mebibytes) => connectionLimits(mebibytes * mebibyte))
    expect(rows.map(({ kept }) => kept)).to.deep.equal([20_000, 500, 532, 5_775, 11_018, 20_000])
    for (const { kept, connections } of rows) expect(connections).to.equal(kept + 2_000)
  })

  const rows: {
    title: string
    options?: Partial<ReportHandlerOptions>
    headers?: Record<string, string | undefined>
    body?: unknown
    status: number
    says: RegExp
  }[] = [
    { title: 'without a token', headers: { authorization: undefined }, status: 401, says: /Authorization: Bearer/ },
    { title: 'with other credentials', headers: { authorization: 'Basic abc' }, status: 401, says: /Bearer/ },
    {
      title: 'with a token that is not valid',
      headers: { authorization: 'Bearer bad' },
      status: 401,
      says: /not valid/,
    },
    {
      title: 'of another user',
      options: { verify: async () => user('n1', 'system:serviceaccount:demo:default') },
      status: 403,
      says: /demo:default may not report/,
    },
    {
      title: 'for another node than that of the token',
      headers: { authorization: 'Bearer n2' },
      status: 403,
      says: /node n2.*for node n1/,
    },
    {
      title: 'with a token that is bound to no node',
      options: { verify: async () => user(undefined) },
      status: 403,
      says: /bound to neither a node nor a pod/,
    },
    { title: 'that are no JSON', body: '{', status: 400, says: /not JSON/ },
    {
      title: 'with every error at once',
      body: { ...report(), node: 1, profiles: [{ state: 'gone' }] },
      status: 400,
      says: /node.*profiles\[0\]/s,
    },
    { title: 'of another type', headers: { 'content-type': 'text/plain' }, status: 415, says: /application\/json/ },
    {
      title: 'at a manager that does not lead, naming who does',
      options: { leadership: () => ({ leads: false, leader: 'other' }) },
      status: 503,
      says: /^\{"leader":"other"\}$/,
    },
  ]
  for (const { title, options, headers, body, status, says } of rows)
    it(`are refused ${title}`, async () => {
      const set = setUp(options)
      const reply = await post(set, body, headers)
      expect(reply.status, String(reply.body)).to.equal(status)
      expect(String(reply.body)).to.match(says)
      expect(set.taken).to.deep.equal([])
      expect(set.outcomes).to.deep.equal([{ status, profiles: 0 }])
    })

  it('are not taken when the lead was lost on the way', async () => {
    let leads = true
    const set = setUp({
      leadership: () => ({ leads, leader: null }),
      verify: async () => {
        leads = false
        return user('n1')
      },
    })
    expect((await post(set)).value).to.deep.equal({ leader: null })
    expect(set.taken).to.deep.equal([])
  })

  it('with tokens that are bound to nothing are taken where that is allowed', async () => {
    const set = setUp({ verify: async () => user(undefined), allowUnboundTokens: true })
    expect((await post(set)).status).to.equal(200)
  })

  it('with too many unknown tokens are put off without a request to the API server', async () => {
    const set = setUp({ verify: async () => ({ busy: true }) })
    const { status, headers, value } = await post(set)
    expect([status, headers]).to.deep.equal([429, { 'retry-after': '1' }])
    expect(value).to.have.property('error').that.includes('try again')
  })

  it('are limited for each node, and let in again later', async () => {
    const set = setUp({ rate: { burst: 3, refill: 500 } })
    const statuses = async (count: number, node: string) => {
      const found: number[] = []
      for (let i = 0; i < count; i++)
        found.push((await post(set, report({ node }), { authorization: `Bearer ${node}` })).status)
      return found
    }
    expect(await statuses(4, 'n1')).to.deep.equal([200, 200, 200, 429])
    expect(await statuses(1, 'n2')).to.deep.equal([200])
    const { headers } = await post(set)
    expect(headers).to.deep.equal({ 'retry-after': '1' })
    await set.clock.advance(1000)
    expect(await statuses(3, 'n1')).to.deep.equal([200, 200, 429])
  })

  it('are limited for each of the 20,000 nodes that reported last', async () => {
    const set = setUp({ rate: { burst: 1, refill: 500 } })
    const status = async (node: string): Promise<number> =>
      (await post(set, report({ node }), { authorization: `Bearer ${node}` })).status
    const othersReport = async (from: number, count: number): Promise<void> => {
      for (let i = from; i < from + count; i++) expect(await status(`other-${i}`)).to.equal(200)
    }
    await status('n1')
    await othersReport(0, 19_999)
    expect(await status('n1')).to.equal(429)
    await othersReport(20_000, 20_000)
    expect(await status('n1')).to.equal(200)
  }).timeout(300_000)

  it('of 1,000 profiles are handed on in one piece', async () => {
    const set = setUp()
    const [one] = report().profiles
    const profiles = Array.from({ length: 1000 }, (_, i) => ({ ...one!, name: `varmor-demo-${i}` }))
    expect((await post(set, report({ profiles }))).status).to.equal(200)
    expect(set.taken).to.have.length(1)
    expect(set.taken[0]!.profiles).to.have.length(1000)
  })

  for (const path of ['/apis/v1/data', '/apis/crd.varmor.org/v1beta1/namespaces/demo/armorprofilemodels/x'])
    it(`${path} says that nothing is recorded`, async () => {
      const routes = statusRoutes({ report: setUp().handler, isAlive: () => true, isReady: () => true })
      const route = routes.exact[path] ?? routes.under!.find(({ prefix }) => path.startsWith(prefix))!.route
      const reply = await route.POST!.admit!({ path, headers: {}, socket: undefined as never })
      expect(reply).to.include({ status: 404 })
      expect(String(reply?.body)).to.match(/Behaviour modelling is disabled/)
    })
})

describe('the node of a token', () => {
  const of = 'authentication.kubernetes.io/'
  const bound = (extra: Record<string, string>, username = agentUser): TokenVerdict => ({
    user: {
      username,
      extra: Object.fromEntries(Object.entries(extra).map(([key, value]) => [`${of}${key}`, [value]])),
    },
  })
  const there: Record<string, string | undefined> = { 'agent-1 u1': 'n1', 'agent-2 u2': undefined }
  const rows: { title: string; verdict: TokenVerdict; node?: string; refused?: RegExp; asked: number }[] = [
    { title: 'is that of its pod', verdict: bound({ 'pod-name': 'agent-1', 'pod-uid': 'u1' }), node: 'n1', asked: 1 },
    {
      title: 'is the one that it names itself, which is not asked about',
      verdict: bound({ 'pod-name': 'agent-1', 'pod-uid': 'u1', 'node-name': 'n7' }),
      ...{ node: 'n7', asked: 0 },
    },
    { title: 'is none without a pod', verdict: bound({}), asked: 0 },
    { title: 'is none with a pod of no uid', verdict: bound({ 'pod-name': 'agent-1' }), asked: 0 },
    {
      title: 'is not had from another pod of the same name',
      verdict: bound({ 'pod-name': 'agent-1', 'pod-uid': 'u0' }),
      ...{ refused: /the pod agent-1, which does not exist/, asked: 1 },
    },
    {
      title: 'is not had while its pod is on no node',
      verdict: bound({ 'pod-name': 'agent-2', 'pod-uid': 'u2' }),
      ...{ refused: /the pod agent-2, .* not on a node/, asked: 1 },
    },
    { title: 'is not looked for where the token is refused', verdict: { refused: 'no' }, refused: /^no$/, asked: 0 },
  ]
  for (const { title, verdict, node, refused, asked } of rows)
    it(title, async () => {
      const finds: string[] = []
      const found = await withNode(verdict, async ({ name, uid }) => {
        finds.push(name)
        return there[`${name} ${uid}`]
      })
      expect(finds).to.have.length(asked)
      if (refused !== undefined) expect(found).to.have.property('refused').that.matches(refused)
      else expect('user' in found && found.user.extra?.[nodeKey]?.[0]).to.equal(node)
    })
})

describe('the verifier of tokens', () => {
  function verifier(review: (token: string) => Promise<TokenVerdict>, entries = 100) {
    const clock = new ManualClock()
    return { clock, tokens: new TokenVerifier({ review, isExpected: (name) => name === agentUser, clock, entries }) }
  }

  it('asks once for a token at a time and once a minute', async () => {
    let asked = 0
    const { clock, tokens } = verifier(async () => {
      asked++
      return user('n1')
    })
    await Promise.all(Array.from({ length: 50 }, () => tokens.verify('a', '10.0.0.1')))
    expect(asked).to.equal(1)
    await tokens.verify('b', '10.0.0.1')
    expect(asked).to.equal(2)
    await clock.advance(59_999)
    await tokens.verify('a', '10.0.0.1')
    expect(asked).to.equal(2)
    await clock.advance(1)
    await tokens.verify('a', '10.0.0.1')
    expect(asked).to.equal(3)
  })

  it('remembers a refusal for a shorter time, and a failure not at all', async () => {
    const answers: (TokenVerdict | Error)[] = [new Error('no connection'), { refused: 'no' }, user('n1')]
    let asked = 0
    const { clock, tokens } = verifier(async () => {
      const answer = answers[asked++]!
      if (answer instanceof Error) throw answer
      return answer
    })
    const failed = await Promise.allSettled([tokens.verify('a', '10.0.0.1'), tokens.verify('a', '10.0.0.1')])
    expect(failed.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    expect(await tokens.verify('a', '10.0.0.1')).to.deep.equal({ refused: 'no' })
    expect(await tokens.verify('a', '10.0.0.1')).to.deep.equal({ refused: 'no' })
    expect(asked).to.equal(2)
    await clock.advance(10_000)
    expect(await tokens.verify('a', '10.0.0.1')).to.deep.equal(user('n1'))
  })

  it('keeps so many answers and no more', async () => {
    let asked = 0
    const { tokens } = verifier(async () => {
      asked++
      return user('n')
    }, 2)
    for (const token of ['a', 'b', 'c', 'b', 'c', 'a']) await tokens.verify(token, '10.0.0.1')
    expect(asked).to.equal(4)
  })

  it('asks about no more than so many bad tokens of an address, and about every good one', async () => {
    let asked = 0
    const { clock, tokens } = verifier(async (token) => {
      asked++
      return token.startsWith('good') ? user(token) : { refused: 'no' }
    }, 1_000)
    const flood = (from: number, address: string) =>
      Promise.all(Array.from({ length: 2_000 }, (_, i) => tokens.verify(`bad-${from + i}`, address)))
    // Nodes behind one address report one after another, each with a good token; the limit does not affect them.
    for (let i = 0; i < 500; i++) expect(await tokens.verify(`good-${i}`, '10.0.0.9')).to.have.property('user')
    asked = 0
    const answers = await flood(0, '10.0.0.1')
    expect(asked).to.equal(100)
    expect(answers.filter((answer) => 'busy' in answer)).to.have.length(1_900)
    await clock.advance(1_000)
    await flood(2_000, '10.0.0.1')
    expect(asked).to.equal(110)
    // Other addresses are served as before. A token that was good before is reviewed, although bad tokens flood its
    // address.
    await flood(4_000, '10.0.0.9')
    await clock.advance(60_000)
    await flood(6_000, '10.0.0.9')
    expect(await tokens.verify('good-0', '10.0.0.9')).to.deep.equal(user('good-0'))
    expect(await tokens.verify('good-x', '10.0.0.2')).to.deep.equal(user('good-x'))
  })

  it('limits the bad tokens of the 4,096 addresses that sent unknown tokens last', async () => {
    const { tokens } = verifier(async () => ({ refused: 'no' }))
    let sent = 0
    const send = (address: string) => tokens.verify(`bad-${sent++}`, address)
    const othersSend = async (from: number, count: number): Promise<void> => {
      for (let i = from; i < from + count; i++)
        expect(await send(`10.1.${i >> 8}.${i & 255}`)).to.deep.equal({ refused: 'no' })
    }
    for (let i = 0; i < 100; i++) await send('10.0.0.1')
    await othersSend(0, 4_095)
    expect(await send('10.0.0.1')).to.deep.equal({ busy: true })
    await othersSend(4_096, 4_096)
    expect(await send('10.0.0.1')).to.deep.equal({ refused: 'no' })
  }).timeout(300_000)

  it('asks about so many strangers at once, wherever they come from, and about those that it knows besides', async () => {
    let waiting: (() => void)[] = []
    const clock = new ManualClock()
    const tokens = new TokenVerifier({
      review: (token) => new Promise((resolve) => waiting.push(() => resolve(user(token)))),
      isExpected: (name) => name === agentUser,
      clock,
      strangers: 8,
    })
    const go = async (asked: Promise<unknown>[]) => {
      for (const answer of waiting) answer()
      waiting = []
      return Promise.all(asked)
    }
    await go([tokens.verify('known', '10.0.0.1')])
    await clock.advance(60_000)
    const strangers = Array.from({ length: 20 }, (_, i) => tokens.verify(`new-${i}`, `10.0.1.${i}`))
    const known = tokens.verify('known', '10.0.0.1')
    expect(waiting).to.have.length(9)
    const answers = await go([...strangers, known])
    expect(answers.filter((answer) => 'busy' in (answer as object))).to.have.length(12)
    expect(answers.at(-1)).to.deep.equal(user('known'))
  })

  it('keeps what is good although others bring any number of tokens that are valid, and not of agents', async () => {
    const asked: string[] = []
    const clock = new ManualClock()
    const tokens = new TokenVerifier({
      review: async (token, known) => {
        asked.push(`${token} ${known}`)
        return token.startsWith('agent') ? user(token) : user(undefined, 'system:serviceaccount:tenant:default')
      },
      isExpected: (name) => name === agentUser,
      clock,
      refusals: 50,
    })
    await tokens.verify('agent-1', '10.0.0.1')
    for (let i = 0; i < 1_000; i++) {
      await clock.advance(100)
      await tokens.verify(`tenant-${i}`, '10.0.0.2')
      await tokens.verify(`tenant-${i}`, '10.0.0.2')
    }
    expect(tokens.size).to.equal(51)
    expect(asked.filter((each) => each === 'tenant-0 false')).to.have.length(1)
    await tokens.verify('agent-1', '10.0.0.1')
    expect(asked.filter((each) => each.startsWith('agent'))).to.deep.equal(['agent-1 false', 'agent-1 true'])
  })
})
