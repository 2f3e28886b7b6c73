import { PROFILE_FINALIZER } from '../../actors/policy/desired.ts'
import { POLICY_FINALIZER } from '../../actors/policy.ts'
import { selectorText } from '../api/label-selector.ts'
import { uninstallName } from '../api/uninstall-name.ts'
import { logTrouble } from '../base/bug.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { ConnectionError, isAlreadyExists, isForbidden, isNotFound } from '../kube/api-error.ts'
import type { ApiClient } from '../kube/client.ts'
import { configMaps, secrets } from '../kube/core-objects.ts'
import { type KubeObject, keyOf, type ObjectMeta, type ResourceRef } from '../kube/objects.ts'
import { armorProfiles, varmorClusterPolicies, varmorPolicies } from '../kube/own-kinds.ts'
import { leases } from '../kube/resources.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
} from './admission/webhook-configurations.ts'
import { certificateName } from './certificates.ts'
import { pods, workloadResources } from './cluster-resources.ts'

export interface UninstallOptions {
  client: ApiClient
  /** vArmor's namespace. */
  namespace: string
  /** Names of the Deployment and the DaemonSet. */
  manager: string
  agent: string
  /**
   * The user gave the namespace and both names. So a missing object was removed before, and is not searched elsewhere.
   */
  areCertain: boolean
  /** The chart's Job sets this: it removes nothing unless Helm installed the manager and the agent. */
  ofHelm: boolean
  /** Keeps the policies, but removes the finalizers that block the deletion of the policies and their namespaces. */
  keepPolicies: boolean
  /** Milliseconds to wait for each step of managers or agents. */
  timeout: number
  clock: Clock
  logger: Logger
}

const policyKinds = [varmorPolicies, varmorClusterPolicies] as unknown as ResourceRef[]
const pause = 500

/**
 * Removes the objects that managers and agents created. Policies come first, so that managers free all workloads; then
 * managers, webhooks, finalizers and ArmorProfiles; then agents, which unload their profiles. Managers and agents need
 * not run. An interrupted uninstall can be repeated.
 * @returns names of pods that did not stop in time
 * @throws {ElsewhereError} before anything is removed
 * @throws {ApiError} if the server refuses a request
 */
export async function uninstall(options: UninstallOptions): Promise<string[]> {
  const { client, namespace, keepPolicies } = options
  if (options.ofHelm) {
    await refuseWithoutHelm(options, 'Deployment', options.manager)
    await refuseWithoutHelm(options, 'DaemonSet', options.agent)
  }
  if (!options.areCertain) {
    await refuseElsewhere(options, 'Deployment', options.manager)
    await refuseElsewhere(options, 'DaemonSet', options.agent)
  }
  if (!keepPolicies) await removePolicies(options)
  const left = await removeWorkload(options, 'Deployment', options.manager)
  await gone(client, mutatingWebhookConfigurations, { name: mutatingName })
  await gone(client, validatingWebhookConfigurations, { name: validatingName })
  for (const kind of policyKinds)
    for (const one of await all(client, kind)) await release(client, kind, one, POLICY_FINALIZER)
  const profiles = armorProfiles as unknown as ResourceRef
  for (const one of await all(client, profiles)) {
    await gone(client, profiles, targetOf(one))
    await release(client, profiles, one, PROFILE_FINALIZER)
  }
  await mark(options)
  left.push(...(await removeWorkload(options, 'DaemonSet', options.agent)))
  await gone(client, leases, { name: 'varmor-manager', namespace })
  await gone(client, secrets, { name: certificateName, namespace })
  await gone(client, configMaps, { name: `${certificateName}-ca`, namespace })
  await gone(client, configMaps, { name: uninstallName, namespace })
  return left
}

/**
 * vArmor is installed in another namespace, under other names, or not by Helm. The uninstall would delete the policies
 * while vArmor still runs.
 */
export class ElsewhereError extends Error {
  override readonly name = 'ElsewhereError'
}

/** Helm adds this annotation to all objects that it installs or upgrades, but not to rendered text. */
const releaseAnnotation = 'meta.helm.sh/release-name'

/**
 * Whether kubectl or Argo CD applied the object, possibly after Helm installed it. kubectl leaves an annotation; with
 * server-side apply, kubectl and Argo CD leave an entry in managedFields.
 */
function isApplied({ annotations, managedFields = [] }: ObjectMeta): boolean {
  if (annotations?.['kubectl.kubernetes.io/last-applied-configuration'] !== undefined) return true
  return managedFields.some(
    ({ operation, manager = '' }) => operation === 'Apply' && ['kubectl', 'argocd-controller'].includes(manager),
  )
}

/**
 * Programs that apply rendered Helm text treat hooks as normal objects, so this Job runs when vArmor is installed. It
 * must not remove vArmor then.
 */
async function refuseWithoutHelm(
  { client, namespace }: UninstallOptions,
  kind: keyof typeof flagOf,
  name: string,
): Promise<void> {
  const found = await client.get(workloadResources[kind], { name, namespace }).catch(unless(isNotFound))
  if (found?.metadata === undefined) return
  const isOfHelm = found.metadata.annotations?.[releaseAnnotation] !== undefined
  if (isOfHelm && !isApplied(found.metadata)) return
  const how = isOfHelm ? 'kubectl or Argo CD applied' : 'Helm did not install'
  throw new ElsewhereError(
    `this is the chart's Job that removes vArmor when Helm uninstalls it, but ${how} the ${kind} ${namespace}/${name}; ` +
      'nothing was removed. Render the chart with uninstall.hook=false, delete this Job, and run `varmor uninstall` before you ' +
      'delete vArmor (with Helm by `helm uninstall --no-hooks`)',
  )
}

/**
 * Labels of objects that our chart or upstream's chart installs. The first label does not match if `nameOverride` is
 * set, the second does not match if `manager.name` or `agent.name` is set.
 */
const installed = ['app.kubernetes.io/name=varmor', 'app.kubernetes.io/component in (varmor-manager, varmor-agent)']
const flagOf = { Deployment: '--manager-deployment', DaemonSet: '--agent-daemonset' }

/** Refuses if the object exists elsewhere. If it exists nowhere, an earlier uninstall may have removed it. */
async function refuseElsewhere(
  { client, namespace, logger }: UninstallOptions,
  kind: keyof typeof flagOf,
  name: string,
): Promise<void> {
  const ref = workloadResources[kind]
  if ((await client.get(ref, { name, namespace }).catch(unless(isNotFound))) !== undefined) return
  const found = await Promise.all(installed.map((labelSelector) => client.list(ref, { labelSelector }))).catch(
    unless(isForbidden),
  )
  if (found === undefined)
    logger.warn(
      { object: `${namespace}/${name}` },
      `there is no ${kind} of this name, and RBAC does not allow looking for it in other namespaces`,
    )
  const items = (found ?? []).flatMap(({ items }) => items)
  const [other, ...more] = [...new Map(items.map((one) => [keyOf(one), targetOf(one)])).values()]
  if (other === undefined) return
  const also = more.length > 0 ? ` and ${more.length} more` : ''
  throw new ElsewhereError(
    `there is no ${kind} ${namespace}/${name}, but ${other.namespace}/${other.name}${also}; ` +
      `nothing was removed: give --namespace ${other.namespace} ${flagOf[kind]} ${other.name}`,
  )
}

/**
 * Creates the ConfigMap that tells stopping agents to unload all profiles. Agents ignore a ConfigMap that is older than
 * they are, so an old one is recreated, unless agents are stopping already and could miss it.
 */
async function mark({ client, namespace, agent }: UninstallOptions): Promise<void> {
  const metadata = { name: uninstallName, namespace }
  const daemonSet = await client.get(workloadResources.DaemonSet, { name: agent, namespace }).catch(unless(isNotFound))
  if (daemonSet?.metadata?.deletionTimestamp === undefined) await gone(client, configMaps, metadata)
  await client.create(configMaps, { metadata }).catch(unless(isAlreadyExists))
}

/** Removes the ConfigMap of an interrupted uninstall. A starting manager calls this, because vArmor stays. */
export async function forgetUninstall(client: ApiClient, namespace: string, logger: Logger): Promise<void> {
  const object = `${namespace}/${uninstallName}`
  try {
    await client.delete(configMaps, { name: uninstallName, namespace })
    logger.warn(
      { object },
      'removing the ConfigMap of an interrupted uninstall; with it, agents would remove all profiles when they stop',
    )
  } catch (error) {
    if (isNotFound(error)) return
    logTrouble(logger, error, { err: error, object }, 'cannot remove the ConfigMap of an earlier uninstall')
  }
}

const unless =
  (expected: (error: unknown) => boolean) =>
  (error: unknown): undefined => {
    if (!expected(error)) throw error
    return undefined
  }

interface Named {
  name: string
  namespace?: string
}

const targetOf = ({ metadata: { name = '', namespace } = {} }: KubeObject): Named => ({
  name,
  ...(namespace !== undefined && { namespace }),
})

const gone = <T extends KubeObject>(
  client: ApiClient,
  ref: ResourceRef<T>,
  target: Named,
  propagationPolicy: 'Background' | 'Foreground' = 'Background',
): Promise<unknown> => client.delete(ref, target, { propagationPolicy }).catch(unless(isNotFound))

/** All objects of a kind; empty if the cluster does not have the kind. */
async function all(client: ApiClient, ref: ResourceRef): Promise<KubeObject[]> {
  const found: KubeObject[] = []
  try {
    for await (const { items } of client.listPages(ref)) found.push(...items)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  return found
}

async function release(client: ApiClient, ref: ResourceRef, object: KubeObject, finalizer: string): Promise<void> {
  const { finalizers = [] } = object.metadata ?? {}
  if (!finalizers.includes(finalizer)) return
  const patch = { metadata: { finalizers: finalizers.filter((one) => one !== finalizer) } }
  await client.patch(ref, targetOf(object), { type: 'merge', patch }).catch(unless(isNotFound))
}

async function removePolicies(options: UninstallOptions): Promise<void> {
  const { client, logger } = options
  const left = async (): Promise<KubeObject[]> =>
    (await Promise.all(policyKinds.map((kind) => all(client, kind)))).flat()
  for (const kind of policyKinds) for (const one of await all(client, kind)) await gone(client, kind, targetOf(one))
  if (await within(options, async () => (await left()).length === 0)) return
  const policies = (await left()).map(keyOf)
  logger.warn({ policies }, 'the workloads of these policies are not restarted, because no manager runs')
}

/**
 * Deletes the workload and waits for its pods. The workload exists until its pods have stopped, so that a repeated
 * uninstall waits for them, too.
 * @returns names of pods that did not stop in time
 */
async function removeWorkload(
  options: UninstallOptions,
  kind: 'Deployment' | 'DaemonSet',
  name: string,
): Promise<string[]> {
  const { client, namespace, logger } = options
  const ref = workloadResources[kind]
  const object = `${namespace}/${name}`
  const find = () => client.get(ref, { name, namespace }).catch(unless(isNotFound))
  const found = await find()
  if (found === undefined) {
    logger.warn({ object }, `a ${kind} of this name does not exist; nothing to stop`)
    return []
  }
  await gone(client, ref, { name, namespace }, 'Foreground')
  const labelSelector = selectorText(found.spec.selector ?? {})
  const left = async (): Promise<string[]> =>
    (await client.list(pods, { namespace, labelSelector })).items.map(({ metadata }) => metadata?.name ?? '')
  if (await within(options, async () => (await left()).length === 0 && (await find()) === undefined)) {
    logger.info({ object }, `the ${kind} has ended`)
    return []
  }
  const pending = await left()
  logger.warn({ object, pods: pending }, `pods of the ${kind} have not ended in time; the uninstall continues`)
  return pending
}

/** If the server does not answer, assume that the work is not done. */
function noAnswer(error: unknown): false {
  if (!(error instanceof ConnectionError)) throw error
  return false
}

/** Asks repeatedly until the answer is true or the time is over. @returns whether the answer was true */
async function within({ clock, timeout }: UninstallOptions, ask: () => Promise<boolean>): Promise<boolean> {
  const end = clock.now() + timeout
  for (;;) {
    if (await ask().catch(noAnswer)) return true
    if (clock.now() >= end) return false
    await sleep(clock, pause)
  }
}
