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
import { bootOf } from './boot.ts'
import { type BpfSizes, bpfEncoder } from './bpf-encoder.ts'
import { compileBy } from './compile-by.ts'
import { ContainerWatch } from './containers/container-watch.ts'
import { FeedWriter } from './containers/feed-writer.ts'
import { notedFacts } from './containers/noted-facts.ts'
import type { LabelChoice } from './containers/pod-facts.ts'
import { processFacts, type ReadProcessFacts } from './containers/process-facts.ts'
import type { ContainerChange } from './containers/runtime.ts'
import { noteExec, startedProcess } from './containers/started-process.ts'
import { hostMountNamespace } from './host-mount-namespace.ts'
import { Lineage } from './lineage.ts'
import type { ClusterSources } from './metrics/agent-metric.ts'
import { agentMetrics } from './metrics/agent-metrics.ts'
import { type Modellers, modellersOf } from './modeller/modellers.ts'
import { NodeBpf } from './node-bpf.ts'
import { confiningProfiles } from './orphaned-profiles.ts'
import type { PolicyBackend } from './policy-backend.ts'
import { SeccompSupport } from './seccomp-support.ts'
import { stopAll } from './shutdown.ts'
import { SupervisedPipeline } from './supervised-pipeline.ts'
import { unloadAtEnd } from './unload-at-end.ts'
import { ViolationCounts } from './violation-counts.ts'
import {
  openRingsBeside,
  silenceWatch,
  startViolationPipeline,
  type ViolationPipelineOptions,
} from './violation-pipeline.ts'
import { policyOf } from './wanted-profiles.ts'

/**
 * One is enough: profiles come one at a time. Times are in milliseconds of CPU. Managers refuse what takes them two
 * seconds; a node may be many times slower, and for the first policy the code itself is cold: one that is refused here
 * is not enforced.
 */
const compilers = { threads: 1, deadline: 60_000 }

export interface NodeAgentOptions {
  /** Where policies come from. It is closed at the end. */
  side: PolicyBackend
  /** Name of the Node object. */
  node: string
  /** The kubelet's folder of seccomp profiles. */
  seccompFolder: string
  appArmorFolder: string
  /** Added to each violation. */
  metadata: Record<string, unknown>
  /** Labels of pods that are added to their violations. Default: none. */
  podLabels?: LabelChoice
  pipeline: Omit<
    ViolationPipelineOptions,
    'feed' | 'seenProcesses' | 'counts' | 'lineage' | 'silence' | 'onRecorded' | 'onLoss' | 'logger'
  >
  /** Where what is recorded of workloads is kept. Default: beside the log of violations. */
  recordings?: string
  /** Where the kubelet asks whether the node is ready. */
  health: { port: number; host?: string }
  /** Where metrics are served; left out: nowhere. */
  metrics?: MetricsListen
  /** Ready only when no profile is refused, either. */
  strict?: boolean
  /** Whose profiles go with the agent when it is stopped. */
  unloadAtEnd?: { AppArmor: boolean; Seccomp: boolean; BPF: boolean }
  bpf?: {
    /** Bytes of the ring of records: a power of two. */
    ringBytes?: number
    sizes?: BpfSizes
    /** Records beyond it, of a container and kind, are held back in the kernel. Default: none are. */
    recordsRate?: RecordsRate
    /** What starts in a container that is not known yet waits until it is. */
    strictStart?: boolean
    nriSocket?: string
  }
  logger: Logger
  /** Milliseconds between two looks at what is really loaded. */
  period?: number
}

/**
 * All that runs on a node: ArmorProfiles come down to kernel and disk; what the kernel reports goes up to the log, with
 * what containerd and the ArmorProfiles say of it. Neither containerd nor a manager, nor an audit source, has to be
 * there when it starts.
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
  /** The part whose end is waited for. */
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

  /** The port of the metrics; 0 where none are served. */
  get metricsPort(): number {
    return this.#metrics?.port ?? 0
  }

  /** What the agent knows and did, for a line of the log. */
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

  /** Resolves when it answers the kubelet; the rest comes by itself. @throws when the port of a server is taken */
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
    confinement?.subscribe(() => this.#watch.describeAnew())
    void this.#followContainers(confinement?.known)
  }

  /** Ends all of it; what was read of violations is written, whatever else fails. @throws what failed first */
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
   * @param known when it is known what confines them: what is said of them before would free those that are confined
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

  /** Has a new fork tree know what belongs to the containers of now; of those that come, it learns with their facts. */
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
      // Logged when it changes, not at each try.
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

  /** @returns why there is no BPF, where the agent may not see the node */
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

  /** What violations say of containers is known before they can be bound; their numbers come behind. */
  async #change(changes: readonly ContainerChange[]): Promise<void> {
    const bpf = this.#bpf
    this.#options.side.confinement?.check(this.#watch.containers.values())
    this.#writer.containers(bpf === undefined ? changes : changes.map((change) => bpf.numbered(change)))
    await bpf?.changed(changes)
    this.#renumber()
  }

  /** Numbers of containers may have changed, or come after their containers. */
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

  /** Who owns a profile, for its violations. */
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
