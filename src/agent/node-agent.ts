import { dirname, join } from 'node:path'
import { type PlacedCompilers, placeCompilers } from '../../actors/compiler/place-compilers.ts'
import { whyNotMade } from '../api/made-by-manager.ts'
import type { ArmorProfile } from '../api/types.ts'
import { SnapshotFeed } from '../audit/enrich/snapshot-feed.ts'
import type { Forks } from '../audit/lineage/forks.ts'
import { ProcessLog } from '../audit/pool/process-log.ts'
import type { BpfRingSource } from '../audit/source/bpf-ring.ts'
import type { SilenceWatch } from '../audit/source/silence-watch.ts'
import { logTrouble } from '../base/bug.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { AbsentLoader } from '../enforcer/absent.ts'
import { nodeAppArmor } from '../enforcer/apparmor-features.ts'
import { nodeBlockDevices } from '../enforcer/block-devices.ts'
import type { RecordsRate } from '../enforcer/bpf/layout.ts'
import { BpfEnforcer } from '../enforcer/bpf.ts'
import { nodeFeatures } from '../enforcer/features.ts'
import { nodeRoot } from '../enforcer/node-root.ts'
import { type BpfLoaderOptions, openLoaders } from '../enforcer/open-loaders.ts'
import type { Loaders } from '../enforcer/ports.ts'
import type { RequestObserver } from '../kube/caller.ts'
import type { Handler } from '../kube/handler-queue.ts'
import type { KubeObject } from '../kube/objects.ts'
import { type MetricsListen, MetricsServer } from '../metrics/metrics-server.ts'
import { unusualDisks } from '../profile/node-disks.ts'
import { Agent } from './agent.ts'
import { type BpfSizes, bpfEncoder } from './bpf/bpf-encoder.ts'
import { NodeBpf } from './bpf/node-bpf.ts'
import { ContainerWatch } from './containers/container-watch.ts'
import { FeedWriter } from './containers/feed-writer.ts'
import { notedFacts } from './containers/noted-facts.ts'
import type { LabelChoice } from './containers/pod-facts.ts'
import { processFacts, type ReadProcessFacts } from './containers/process-facts.ts'
import type { ContainerChange } from './containers/runtime.ts'
import { noteExec, startedProcess } from './containers/started-process.ts'
import { bootOf } from './lifecycle/boot.ts'
import { hostMountNamespace } from './lifecycle/host-mount-namespace.ts'
import { stopAll } from './lifecycle/shutdown.ts'
import { unloadAtEnd } from './lifecycle/unload-at-end.ts'
import type { ClusterSources } from './metrics/agent-metric.ts'
import { agentMetrics } from './metrics/agent-metrics.ts'
import { type Modellers, modellersOf } from './modeller/modellers.ts'
import type { PolicyBackend } from './policy-backend.ts'
import { compileBy } from './profiles/compile-by.ts'
import { confiningProfiles } from './profiles/orphaned-profiles.ts'
import { SeccompSupport } from './profiles/seccomp-support.ts'
import { policyOf } from './profiles/wanted-profiles.ts'
import { Lineage } from './violations/lineage.ts'
import { SupervisedPipeline } from './violations/supervised-pipeline.ts'
import { ViolationCounts } from './violations/violation-counts.ts'
import {
  openRingsBeside,
  silenceWatch,
  startViolationPipeline,
  type ViolationPipelineOptions,
} from './violations/violation-pipeline.ts'

/**
 * One thread is enough, because profiles arrive one at a time. The deadline is CPU time in milliseconds. It is long:
 * managers refuse a source that takes two seconds, but a node may be many times slower, and a profile that the agent
 * refuses is not enforced.
 */
const compilers = { threads: 1, deadline: 60_000 }

export interface NodeAgentOptions {
  /** The source of policies. The agent closes it when it stops. */
  side: PolicyBackend
  /** Name of the Node object. */
  node: string
  /** The kubelet's folder for seccomp profiles. */
  seccompFolder: string
  appArmorFolder: string
  /** Fields that are added to each violation. */
  metadata: Record<string, unknown>
  /** The labels of a pod that are added to its violations. Default: none. */
  podLabels?: LabelChoice
  pipeline: Omit<
    ViolationPipelineOptions,
    'feed' | 'seenProcesses' | 'counts' | 'lineage' | 'silence' | 'onRecorded' | 'onLoss' | 'logger'
  >
  /** Folder for recordings of workloads. Default: next to the log of violations. */
  recordings?: string
  /** Address at which the kubelet asks whether the node is ready. */
  health: { port: number; host?: string }
  /** Address of the metrics; undefined: not served. */
  metrics?: MetricsListen
  /** Whether a refused profile makes the node unready, too. */
  strict?: boolean
  /** Enforcers whose profiles are unloaded when the agent stops. */
  unloadAtEnd?: { AppArmor: boolean; Seccomp: boolean; BPF: boolean }
  bpf?: {
    /** Bytes of the ring buffer for records: a power of two. */
    ringBytes?: number
    sizes?: BpfSizes
    /**
     * Maximum rate of a container's records of one kind. Beyond it, the BPF programs hold back records. Default: no
     * limit.
     */
    recordsRate?: RecordsRate
    /** Whether a program in an unknown container waits until the container is known. */
    strictStart?: boolean
    nriSocket?: string
  }
  logger: Logger
  /** Milliseconds between two checks of the loaded profiles. */
  period?: number
}

/**
 * The whole agent of a node. It loads the profiles of ArmorProfiles, and logs violations with data about containers and
 * policies. It starts even if containerd, managers or audit sources are not available yet.
 */
export class NodeAgent {
  readonly #options: NodeAgentOptions
  readonly #feed: SnapshotFeed
  readonly #writer: FeedWriter
  readonly #seenProcesses = new ProcessLog()
  readonly #counts: ViolationCounts
  readonly #watch: ContainerWatch
  readonly #pipeline: SupervisedPipeline
  readonly #compilers: PlacedCompilers
  readonly #lineage: Lineage
  readonly #silence: SilenceWatch
  readonly #modellers: Modellers | undefined
  readonly #seccomp: SeccompSupport
  #facts: ReadProcessFacts = processFacts()
  #loaders: Loaders | undefined
  #bpf: NodeBpf | undefined
  #ringsBeside: BpfRingSource[] = []
  #agent: Agent | undefined
  /** The component that is being stopped, for the log. */
  #ending: string | undefined
  #metrics: MetricsServer | undefined
  #apiObserver: RequestObserver | undefined

  constructor(options: NodeAgentOptions) {
    this.#options = options
    const { logger, node: nodeName, metadata, pipeline } = options
    const { procRoot = '/proc' } = pipeline
    const time = { clock: systemClock, random: Math.random }
    const start = { version: 1, ...bootOf(procRoot), containers: [], policies: [] }
    this.#feed = new SnapshotFeed({ ...start, nodeName, metadata })
    this.#counts = new ViolationCounts(this.#feed)
    this.#writer = new FeedWriter(this.#feed, systemClock, options.podLabels)
    const programs = (): string | undefined => this.#bpf?.inForce
    this.#lineage = new Lineage({ logger, procRoot, programs, onOpen: (forks) => this.#noteContainers(forks) })
    this.#silence = silenceWatch(logger)
    this.#seccomp = new SeccompSupport({
      ...{ runtime: options.side.runtime, clock: systemClock, logger },
      onChange: () => this.#agent?.recompile('Seccomp'),
    })
    this.#watch = this.#watchContainers()
    this.#pipeline = new SupervisedPipeline({ ...time, logger, start: () => this.#startViolationPipeline() })
    this.#compilers = placeCompilers({ logger, ...compilers })
    this.#modellers = this.#newModellers()
  }

  /** The port of the health server. */
  get healthPort(): number {
    return this.#agent?.healthPort ?? 0
  }

  /** The port of the metrics; 0: not served. */
  get metricsPort(): number {
    return this.#metrics?.port ?? 0
  }

  /** State and counters of the agent, for a line of the log. */
  get status(): object {
    const { containers, listed } = this.#watch
    return {
      ...(this.#ending !== undefined && { ending: this.#ending }),
      readiness: this.#agent?.readiness.report(),
      containers: containers.size,
      containersKnown: listed,
      ...(this.#bpf && { bpf: this.#bpf.status }),
      violations: this.#pipeline.status ?? this.#pipeline.none ?? 'not followed yet',
    }
  }

  /**
   * Resolves when the health server answers; the other parts start in the background.
   * @throws if the port of a server is taken
   */
  async start(): Promise<void> {
    await this.#serveMetrics()
    const { logger, seccompFolder, appArmorFolder, side, node, health, strict, period } = this.#options
    side.begin?.(logger)
    const { namespace, confinement } = side
    const root = nodeRoot()
    const features = nodeFeatures(root)
    this.#loaders = await openLoaders(features, {
      appArmor: { folder: appArmorFolder },
      seccomp: { folder: seccompFolder },
      bpf: features.BPF ?? this.#bpfOptions(),
    })
    for (const one of Object.values(this.#loaders))
      if (one instanceof AbsentLoader)
        logger.warn({ enforcer: one.enforcer, reason: one.reason }, 'an enforcer is not available on this node')
    this.#bpf = this.#nodeBpf(this.#loaders)
    this.#ringsBeside = await this.#openRingsBeside(this.#bpf)
    const appArmor = await nodeAppArmor(root)
    const absentHooks = this.#bpf?.absentHooks ?? []
    const disks = (): string[] => unusualDisks(nodeBlockDevices(root))
    this.#agent = new Agent({
      ...side.source({
        compilers: this.#compilers,
        ...(this.#apiObserver !== undefined && { apiObserver: this.#apiObserver }),
      }),
      ...{ namespace, node, logger, health },
      loaders: this.#loaders,
      compile: compileBy(this.#compilers, async ({ enforcer }) => {
        if (/seccomp/i.test(enforcer)) await this.#seccomp.known
        return { appArmor, blockDevices: disks(), absentHooks, seccompReports: this.#seccomp.now }
      }),
      basis: () => disks().join(),
      confining: () => confiningProfiles(this.#options.pipeline.procRoot),
      ofContainers: () => this.#watch.profiles,
      profiles: this.#policies(),
      onListed: () => void Promise.all([this.#bpf?.profilesListed(), this.#modellers?.listed()]),
      onRefused: (profile) => void this.#bpf?.refused(profile),
      unreported: () => this.#pipeline.none ?? this.#silence.unreported,
      restarts: () => this.#restarts,
      ...(confinement !== undefined && { problems: () => confinement.problems() }),
      ...(strict !== undefined && { strict }),
      ...(period !== undefined && { period }),
    })
    this.#seccomp.start()
    await this.#agent.start()
    await this.#lineage.start()
    void this.#silence.start()
    this.#pipeline.start()
    confinement?.subscribe(() => this.#watch.describeAgain())
    void this.#followContainers(confinement?.known)
  }

  /** Stops all components. Violations that were read are written even if a component fails. @throws the first error */
  async stop(): Promise<void> {
    const parts = {
      profiles: () => this.#agent?.stop(),
      compilers: () => this.#compilers.stop(),
      nri: () => this.#bpf?.stop(),
      seccomp: () => this.#seccomp.stop(),
      unloading: () => this.#loaders && this.#unload(this.#loaders),
      containers: () => this.#watch.stop(),
      violations: () => this.#pipeline.stop(),
      recordings: () => this.#modellers?.stop(),
      rings: () => this.#ringsBeside.forEach((ring) => void ring.close()),
      silence: () => this.#silence.close(),
      forks: () => this.#lineage.close(),
      feed: () => this.#writer.close(),
      side: () => this.#options.side.close(),
      metrics: () => this.#metrics?.drain(1_000),
    }
    await stopAll(parts, this.#options.logger, (part) => {
      this.#ending = part
    })
  }

  /**
   * @param known resolves when the policies are known; if containers were reported before that, confined containers
   * would be released
   */
  async #followContainers(known?: Promise<void>): Promise<void> {
    await known
    this.#bpf?.start()
    await this.#watch.start()
  }

  get #restarts(): Record<string, number> {
    const [watch, pipeline, lineage] = [this.#watch, this.#pipeline, this.#lineage]
    const nri = this.#bpf === undefined ? {} : { nri: this.#bpf.restarts }
    return { containerWatch: watch.restarts, violations: pipeline.restarts, forks: lineage.restarts, ...nri }
  }

  async #serveMetrics(): Promise<void> {
    const { metrics, logger: log } = this.#options
    if (metrics === undefined) return
    const { registry, api } = agentMetrics({
      ...{
        counts: this.#counts,
        feed: this.#feed,
        lineage: this.#lineage,
        silence: this.#silence,
        restarts: () => this.#restarts,
      },
      cluster: () => this.#clusterSources,
    })
    this.#apiObserver = api
    this.#metrics = await MetricsServer.start({ ...metrics, registry, log })
    log.info({ port: this.metricsPort }, 'metrics are served')
  }

  get #clusterSources(): ClusterSources | undefined {
    if (this.#agent === undefined) return undefined
    const { readiness, actors } = this.#agent
    const { ready } = readiness.report()
    const bpf = this.#bpf === undefined ? {} : { bpf: this.#bpf.status }
    const recordings = this.#modellers === undefined ? {} : { recordings: this.#modellers.counts }
    return { ready, profiles: readiness.counts(), containersListed: this.#watch.listed, actors, ...recordings, ...bpf }
  }

  #openRingsBeside(bpf: NodeBpf | undefined): Promise<BpfRingSource[]> {
    const { pipeline, logger, bpf: { recordsRate } = {} } = this.#options
    const { log, checkpoint } = pipeline
    const kept = checkpoint === undefined ? {} : { checkpoint }
    const options = { log, ...kept, feed: this.#feed, heldRate: recordsRate?.rate, logger }
    return openRingsBeside(options, () => bpf?.beside ?? [])
  }

  #startViolationPipeline(): ReturnType<typeof startViolationPipeline> {
    const { pipeline, logger, bpf: { recordsRate } = {} } = this.#options
    const bpf = this.#bpf
    return startViolationPipeline({
      ...pipeline,
      ...(bpf !== undefined && { ring: () => bpf.folder, heldRate: recordsRate?.rate }),
      ringsBeside: () => this.#ringsBeside.splice(0),
      feed: this.#feed,
      seenProcesses: this.#seenProcesses,
      counts: this.#counts,
      lineage: this.#lineage,
      silence: this.#silence,
      onRecorded: (recorded) => this.#modellers?.found(recorded),
      onLoss: (loss) => this.#modellers?.lost(loss),
      logger,
    })
  }

  #newModellers(): Modellers | undefined {
    const {
      side,
      node,
      logger,
      pipeline,
      recordings: folder = join(dirname(pipeline.log), 'recordings'),
    } = this.#options
    return modellersOf(side, {
      ...{ node, folder, clock: systemClock, logger },
      unwritten: () => Math.max(0, ...this.#counts.queues.map(({ age = 0 }) => age)),
      onChange: (profileName, modelling) => {
        const policy = this.#feed.policies.get(profileName)
        if (policy !== undefined) this.#writer.policy({ ...policy, modelling })
      },
    })
  }

  /** Adds the running containers to a new fork tree. Later containers are added when their facts are read. */
  async #noteContainers(forks: Forks): Promise<void> {
    this.#facts = notedFacts(processFacts(), forks)
    for (const { initPid, containerID } of this.#watch.containers.values()) await this.#facts(initPid, containerID)
  }

  #watchContainers(): ContainerWatch {
    const { logger, side } = this.#options
    const { runtime, confinement } = side
    let lost = false
    let known = false
    return new ContainerWatch({
      runtime,
      ...(confinement !== undefined && { podOf: (container, sandbox) => confinement.podOf(container, sandbox) }),
      facts: (pid, containerID) => this.#facts(pid, containerID),
      onChange: (changes) => void this.#change(changes),
      onCreated: (container) => void this.#bpf?.created(container),
      onDeleted: (containerID) => void this.#bpf?.deleted(containerID),
      onExec: (exec) => {
        if (this.#lineage.forks !== undefined) noteExec(this.#lineage.forks, exec)
        this.#seenProcesses.add([startedProcess(exec)])
      },
      // Log only a change of the state, not each try.
      onLost: (err, delay) => {
        if (lost) return
        lost = true
        const what = known ? 'cannot follow containers' : 'waiting for the container runtime'
        logTrouble(logger, err, { err, retryMs: delay }, `${what}; until then violations may lack their containers`)
      },
      onSkipped: (containerID, err) =>
        logTrouble(
          logger,
          err,
          { containerID, err },
          'cannot read the data of a container; retrying; until then its violations may lack the container',
        ),
      onListed: (containers) => {
        if (lost || !known) logger.info({ containers }, 'the runtime listed the containers of the node')
        if (lost) this.#seccomp.ask()
        lost = false
        known = true
        confinement?.check(this.#watch.containers.values())
        void this.#bpf?.listed(this.#watch.containers.values()).then(() => this.#renumber())
      },
      clock: systemClock,
      random: Math.random,
    })
  }

  /** @returns the options, or the reason why the agent cannot use BPF on this node */
  #bpfOptions(): BpfLoaderOptions | string {
    const { bpf = {}, pipeline, side, logger } = this.#options
    const { ringBytes, sizes, recordsRate, strictStart = false } = bpf
    const hostMntNs = hostMountNamespace(pipeline.procRoot)
    if (typeof hostMntNs === 'string') return hostMntNs
    return {
      encoder: bpfEncoder(sizes),
      hostMntNs,
      onReopened: () => this.#renumber(),
      onDamaged: ({ reason }) =>
        logger.warn({ reason }, 'maps of the BPF programs were changed; loading the programs again beside them'),
      onArrived: () => void this.#bpf?.arrived().then(() => this.#renumber()),
      strictStart: strictStart ? 1 : 0,
      ...(side.hasTenants && { claims: () => this.#agent?.bpfClaims ?? new Map() }),
      ...(ringBytes !== undefined && { ringBytes }),
      ...(recordsRate !== undefined && { recordsRate }),
    }
  }

  #nodeBpf({ BPF: enforcer }: Loaders): NodeBpf | undefined {
    if (!(enforcer instanceof BpfEnforcer)) return undefined
    const { logger, side, bpf: { strictStart = false, nriSocket } = {} } = this.#options
    const { confinement } = side
    return new NodeBpf({
      ...{ enforcer, strictStart, logger },
      ...(nriSocket !== undefined && { nriSocket }),
      ...(confinement !== undefined && { annotationsOf: (container) => confinement.annotationsOf(container) }),
    })
  }

  /** Reports changes of containers. The pipeline gets a container before it is bound, and its BPF number later. */
  async #change(changes: readonly ContainerChange[]): Promise<void> {
    const bpf = this.#bpf
    this.#options.side.confinement?.check(this.#watch.containers.values())
    this.#writer.containers(bpf === undefined ? changes : changes.map((change) => bpf.numbered(change)))
    await bpf?.changed(changes)
    this.#renumber()
  }

  /** Reports containers again whose BPF number has changed or was not known before. */
  #renumber(): void {
    const bpf = this.#bpf
    if (bpf === undefined) return
    const changes: ContainerChange[] = []
    for (const container of this.#watch.containers.values()) {
      const change = bpf.numbered({ type: 'started', container })
      const known = this.#feed.containers.get(container.containerID)
      if (change.type === 'started' && known !== undefined && known.bpfNumber !== change.container.bpfNumber)
        changes.push(change)
    }
    if (changes.length > 0) this.#writer.containers(changes)
  }

  /** Tells the pipeline which policy owns each profile, because violations name the policy. */
  #policies(): Handler<ArmorProfile & KubeObject> {
    return {
      name: 'policies',
      handle: ({ type, object }) => {
        const policy = policyOf(object)
        if (whyNotMade(object, this.#options.side.namespace) !== undefined) return
        this.#bpf?.profile(object, type === 'deleted')
        const modelling = this.#modellers?.profile(object, type === 'deleted')
        if (type === 'deleted') this.#writer.withoutPolicy(object.spec.profile.name)
        else if (policy !== undefined) this.#writer.policy({ ...policy, ...(modelling !== undefined && { modelling }) })
      },
    }
  }

  async #unload(loaders: Loaders): Promise<void> {
    const { unloadAtEnd: always = { AppArmor: false, Seccomp: false, BPF: false }, logger, side } = this.#options
    const doubt = (reason: string): void =>
      logger.warn({ reason }, 'cannot find out whether vArmor is being uninstalled; profiles stay loaded')
    await unloadAtEnd({
      ...{ loaders, always, logger, clock: systemClock },
      uninstalled: await side.uninstalled(doubt),
      confining: () => confiningProfiles(this.#options.pipeline.procRoot),
      ofContainers: () => this.#watch.profiles,
      endBpf: async () => this.#bpf?.end(),
    })
  }
}
