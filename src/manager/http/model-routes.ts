import { formatFieldError } from '../../api/field-error.ts'
import { armorProfileModel } from '../../api/schema/armor-profile-model.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import type { Clock } from '../../base/clock.ts'
import { TokenBuckets } from '../../base/token-bucket.ts'
import { type Exchange, type Handler, json, type Reply, type Route, refuseOtherThanJson } from '../../http/routes.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { NoRoom } from '../models/model-folder.ts'
import { BUSY, bearerToken, tooMany } from './agent-handler.ts'
import { ReportGate } from './report-gate.ts'
import { MODELS_PREFIX } from './status-routes.ts'
import type { Verdict } from './token-verifier.ts'

/** The requested model. */
export interface ModelTarget {
  namespace: string
  name: string
}

type Verb = 'get' | 'create' | 'update'
type User = Extract<Verdict, { user: unknown }>['user']

export interface ModelRoutesOptions {
  verify: (token: string, address: string) => Promise<Verdict>
  /** Whether the cluster's RBAC rules allow the user to access the ArmorProfileModel. */
  mayAccess: (user: User, verb: Verb, target: ModelTarget) => Promise<boolean>
  /**
   * Reads the whole model. `elsewhere`: only another manager has the recorded data; the value is the leader, if known.
   * @throws the API server's error
   */
  read: (target: ModelTarget) => Promise<ArmorProfileModel | { elsewhere: string | null }>
  /** Creates the model, or replaces it. @throws the API server's error, and {NoRoom} */
  write: (model: ArmorProfileModel) => Promise<ArmorProfileModel | { elsewhere: string | null } | { tooLarge: string }>
  clock: Pick<Clock, 'now' | 'after'>
}

/** Maximum number of users whose request rates are remembered. */
const USERS = 20_000
/**
 * Maximum burst of requests of one user, and milliseconds until each further request. The rate is limited, because each
 * request makes the manager ask the API server for the user's rights.
 */
const RATE = { burst: 20, refill: 500 }

const MAX_ERRORS = 50

/**
 * Maximum concurrent uploads. `WITHIN`: milliseconds for each upload. Uploads are limited, because they have some
 * megabytes, and agents send reports to the same port.
 */
const AT_ONCE = 4
const WITHIN = 10_000

/**
 * Serves whole models to users at `…/namespaces/{namespace}/armorprofilemodels/{name}`: also recorded data that is in a
 * file. A user needs the RBAC right to read or write the ArmorProfileModel.
 */
export function modelRoutes(options: ModelRoutesOptions): Route {
  const targets = new WeakMap<Exchange, { target: ModelTarget; username: string }>()
  const buckets = new TokenBuckets(USERS, RATE)
  const gate = new ReportGate({
    isBehind: () => false,
    clock: options.clock,
    atOnce: AT_ONCE,
    perCaller: 1,
    waiting: 100,
  })

  const admit = async (exchange: Exchange, verbs: readonly Verb[]): Promise<Reply | undefined> => {
    const target = targetOf(exchange.path)
    if (target === undefined) return failure(404, `There is no resource at ${exchange.path}`)
    const token = bearerToken(exchange.headers.authorization)
    if (token === undefined) return failure(401, 'The header Authorization: Bearer <token> is missing')
    const verdict = await options.verify(token, exchange.socket.remoteAddress ?? '')
    if ('busy' in verdict) return tooMany(1_000, BUSY)
    if ('refused' in verdict) return failure(401, verdict.refused)
    const now = options.clock.now()
    const { user } = verdict
    const { username } = user
    if (!buckets.of(username, now).take(now))
      return tooMany(RATE.refill, `${username} sends too many requests; try again later`)
    for (const verb of verbs) if (!(await options.mayAccess(user, verb, target))) return forbidden(user, verb, target)
    targets.set(exchange, { target, username })
    return undefined
  }

  const enter = async (exchange: Exchange): Promise<Reply | undefined> => {
    const { username } = targets.get(exchange)!
    const hasEntered = await gate.enter(username, () => exchange.socket.destroyed)
    return hasEntered
      ? undefined
      : tooMany(2_000, `Too many models are being sent, or ${username} already sends one; try again`)
  }

  const get: Handler = {
    admit: (exchange) => admit(exchange, ['get']),
    handle: (_, exchange) => {
      const { target } = targets.get(exchange)!
      return answered(target, () => options.read(target))
    },
  }
  const put: Handler = {
    bodyWithin: WITHIN,
    // PUT updates an existing model and creates a missing model, so the user needs both rights.
    admit: async (exchange) =>
      refuseOtherThanJson(exchange) ?? (await admit(exchange, ['update', 'create'])) ?? (await enter(exchange)),
    handle: (body, exchange) => {
      const { target } = targets.get(exchange)!
      const read = readModel(body, target)
      return 'reply' in read ? read.reply : answered(target, () => options.write(read.model))
    },
    done: (exchange) => gate.leave(targets.get(exchange)!.username),
  }
  return { GET: get, PUT: put }
}

const failure = (status: number, error: string): Reply => json(status, { error })

const forbidden = ({ username }: User, verb: string, { namespace, name }: ModelTarget): Reply =>
  failure(403, `${username} may not ${verb} the ArmorProfileModel ${namespace}/${name}`)

function targetOf(path: string): ModelTarget | undefined {
  const [namespace, kind, name, ...rest] = path.slice(MODELS_PREFIX.length).split('/')
  if (namespace === undefined || kind !== 'armorprofilemodels' || name === undefined || rest.length > 0)
    return undefined
  return isName(namespace) && isName(name) ? { namespace, name } : undefined
}

const isName = (text: string): boolean => text.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)

async function answered(
  { namespace, name }: ModelTarget,
  ask: () => Promise<ArmorProfileModel | { elsewhere: string | null } | { tooLarge: string }>,
): Promise<Reply> {
  try {
    const answer = await ask()
    if ('elsewhere' in answer) return json(503, { leader: answer.elsewhere })
    if ('tooLarge' in answer) return failure(413, answer.tooLarge)
    return json(200, answer)
  } catch (error) {
    if (isNotFound(error)) return failure(404, `There is no ArmorProfileModel ${namespace}/${name}`)
    if (error instanceof NoRoom) return failure(507, error.message)
    throw error
  }
}

function readModel(body: Buffer, target: ModelTarget): { model: ArmorProfileModel } | { reply: Reply } {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    return { reply: failure(400, `The body is not JSON: ${(error as Error).message}`) }
  }
  const errors = validateSchema(nodeOf(armorProfileModel), value)
  if (errors.length > 0) {
    const named = errors.slice(0, MAX_ERRORS).map(formatFieldError)
    return { reply: json(400, { error: 'The model has errors', errors: named }) }
  }
  const model = value as ArmorProfileModel
  const { namespace = target.namespace, name } = model.metadata
  if (namespace === target.namespace && name === target.name) return { model }
  return {
    reply: failure(400, `The model is ${namespace}/${name}, but the path names ${target.namespace}/${target.name}`),
  }
}
