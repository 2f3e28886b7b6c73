import { type FieldError, formatFieldError } from '../../api/field-error.ts'
import type { Clock } from '../../base/clock.ts'
import { type TokenBucket, TokenBuckets } from '../../base/token-bucket.ts'
import { type Exchange, type Handler, json, type Reply, refuseOtherThanJson } from '../../http/routes.ts'
import { nodeNameKey } from './node-of-token.ts'
import type { ReportGate } from './report-gate.ts'
import type { Verdict } from './token-verifier.ts'

export interface AgentHandlerOptions {
  verify: (token: string, address: string) => Promise<Verdict>
  /** The agents' user, `system:serviceaccount:<namespace>:<name>`. */
  agentUser: string
  /**
   * Whether to accept agents whose token is bound to neither a node nor a pod. With such a token, a client can send
   * reports for every node.
   */
  allowUnboundTokens: boolean
  /** Whether this manager leads, and which manager leads, if known. */
  leadership: () => { leads: boolean; leader: string | null }
  clock: Clock
  /** Maximum burst of requests of one node, and milliseconds until each further request. Default 20 and 500. */
  rate?: { burst: number; refill: number }
  /** Limits the number of concurrent requests. Default: no limit. */
  gate?: ReportGate
}

/** The kind of body that agents send to one path, and the functions that handle it. */
export interface AgentBody<Value extends { node: string }> {
  /** The name of this kind of body in messages, such as `report`. */
  what: string
  /** Maximum bytes. Default: the server's limit. */
  max?: number
  check(body: unknown): { ok: true; value: Value } | { ok: false; errors: FieldError[] }
  /** @returns the answer, which is sent as JSON with status 200 */
  take(value: Value): unknown
  /** Called with the status of a reply other than 200. */
  refused?(status: number): void
}

/** Maximum number of nodes whose request rates are remembered. */
const NODES = 20_000
/**
 * A body of this size counts as one more request against the node's rate, because parsing it blocks the thread. A
 * report of 500 profiles has half this size.
 */
const BYTES_OF_REQUEST = 256 * 1024

/** Accepts bodies from agents while this manager leads. Each agent may send only for its own node. */
export function agentHandler<Value extends { node: string }>(
  options: AgentHandlerOptions,
  body: AgentBody<Value>,
): Handler {
  const { clock, rate = { burst: 20, refill: 500 }, gate } = options
  const buckets = new TokenBuckets(NODES, rate)
  // The node of each admitted request, from `admit` to `handle`.
  const callers = new WeakMap<Exchange, string | undefined>()
  // The caller of each request that has a place in the gate, so that `done` gives the place back.
  const inside = new WeakMap<Exchange, string>()

  const bucketOf = (caller: string): TokenBucket => buckets.of(caller, clock.now())
  const isWithinRate = (node: string): boolean => bucketOf(node).take(clock.now())

  const admit = async (exchange: Exchange): Promise<Reply | undefined> => {
    const { leads, leader } = options.leadership()
    if (!leads) return json(503, { leader })
    const wrongType = refuseOtherThanJson(exchange)
    if (wrongType !== undefined) return wrongType
    const caller = await identify(exchange, options)
    if ('reply' in caller) return caller.reply
    if (caller.node !== undefined && !isWithinRate(caller.node)) return tooMany(rate.refill)
    callers.set(exchange, caller.node)
    return gate === undefined ? undefined : enter(gate, exchange, caller.node)
  }

  const enter = async (gate: ReportGate, exchange: Exchange, node: string | undefined): Promise<Reply | undefined> => {
    const { socket, headers } = exchange
    // A token without a node identifies the caller better than an address, which many nodes may share.
    const caller = node ?? bearerToken(headers.authorization) ?? ''
    if (!(await gate.enter(caller, () => socket.destroyed))) return tooMany(2_000, FULL)
    inside.set(exchange, caller)
    return undefined
  }

  const handle = async (bytes: Buffer, exchange: Exchange): Promise<Reply> => {
    const node = callers.get(exchange)
    if (node !== undefined) bucketOf(node).owe(Math.floor(bytes.length / BYTES_OF_REQUEST))
    const parsed = parse(bytes, body)
    if ('reply' in parsed) return parsed.reply
    const { value } = parsed
    if (node !== undefined && value.node !== node)
      return failure(403, `The token is for node ${node}, but the ${body.what} is for node ${value.node}`)
    if (node === undefined && !isWithinRate(value.node)) return tooMany(rate.refill)
    // Another manager may have become the leader while the token was checked and the body arrived.
    const { leads, leader } = options.leadership()
    if (!leads) return json(503, { leader })
    return json(200, await body.take(value))
  }

  const observed = (reply: Reply): Reply => {
    if (reply.status !== 200) body.refused?.(reply.status)
    return reply
  }
  return {
    ...(body.max !== undefined && { maxBody: body.max }),
    admit: async (exchange) => {
      const reply = await admit(exchange)
      return reply === undefined ? undefined : observed(reply)
    },
    handle: async (bytes, exchange) => observed(await handle(bytes, exchange)),
    done: (exchange) => {
      const caller = inside.get(exchange)
      if (caller !== undefined) gate?.leave(caller)
    },
  }
}

const failure = (status: number, error: string): Reply => json(status, { error })

export const tooMany = (
  refill: number,
  error = 'This node reports too often; combine changes into one report',
): Reply => json(429, { error }, { 'retry-after': String(Math.max(1, Math.ceil(refill / 1000))) })

const FULL = 'Too many reports are waiting, in all or from this node; try again'
export const BUSY =
  'Too many new tokens are being checked, or too many tokens from this address were invalid; try again'

/** Finds the node of the request's token. The node is undefined if the token names no node. */
async function identify(
  { headers, socket }: Exchange,
  { verify, agentUser, allowUnboundTokens }: AgentHandlerOptions,
): Promise<{ node: string | undefined } | { reply: Reply }> {
  const token = bearerToken(headers.authorization)
  if (token === undefined) return { reply: failure(401, 'The header Authorization: Bearer <token> is missing') }
  const verdict = await verify(token, socket.remoteAddress ?? '')
  if ('busy' in verdict) return { reply: tooMany(1_000, BUSY) }
  if ('refused' in verdict) return { reply: failure(401, verdict.refused) }
  const { username, extra } = verdict.user
  if (username !== agentUser) return { reply: failure(403, `${username} may not report; only ${agentUser} may`) }
  const node = extra?.[nodeNameKey]?.[0]
  if (node === undefined && !allowUnboundTokens)
    return {
      reply: failure(
        403,
        'The token is bound to neither a node nor a pod; use the token that the kubelet projects into the pod',
      ),
    }
  return { node }
}

export const bearerToken = (authorization = ''): string | undefined => /^Bearer +(\S+)$/i.exec(authorization)?.[1]

function parse<Value extends { node: string }>(
  bytes: Buffer,
  { what, check }: AgentBody<Value>,
): { value: Value } | { reply: Reply } {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return { reply: failure(400, `The body is not JSON: ${(error as Error).message}`) }
  }
  const result = check(value)
  if (result.ok) return { value: result.value }
  return { reply: json(400, { error: `The ${what} has errors`, errors: result.errors.map(formatFieldError) }) }
}
