import { RuntimeError } from '../../../src/agent/containers/runtime.ts'
import {
  type CriContainer,
  type CriContainerStatus,
  type CriImage,
  type CriPort,
  type CriSandbox,
  startStep,
} from '../../../src/sandbox/kubelet/cri.ts'
import type { ContainerConfig, PodSandboxConfig } from '../../../src/sandbox/kubelet/pod-requests.ts'

interface FakeContainer {
  id: string
  sandbox: string
  config: ContainerConfig
  state: CriContainer['state']
  created: number
  finished: number
  exitCode: number
  reason: string
}

interface FakeSandbox {
  id: string
  config: PodSandboxConfig
  state: CriSandbox['state']
  created: number
}

const failure = (message: string): RuntimeError =>
  new RuntimeError('UNKNOWN', 'call', { cause: Object.assign(new Error(message), { details: message }) })

/** A container runtime without processes: containers end when a test ends them. */
export class FakeCri implements CriPort {
  readonly containersById = new Map<string, FakeContainer>()
  readonly sandboxesById = new Map<string, FakeSandbox>()
  readonly images = new Map<string, CriImage>([['busybox', { id: 'sha256:b', uid: { value: '0' }, username: '' }]])
  /** Errors for the next calls with these names. */
  readonly faults = new Map<string, string>()
  #next = 1

  /** Ends a container as if its process exited. */
  end(id: string, exitCode = 0): void {
    const container = this.containersById.get(id)!
    container.state = 'CONTAINER_EXITED'
    container.exitCode = exitCode
    container.finished = this.#next++
  }

  /** Ends a sandbox and all its containers. */
  endSandbox(id: string): void {
    this.sandboxesById.get(id)!.state = 'SANDBOX_NOTREADY'
    for (const container of this.containersById.values())
      if (container.sandbox === id && container.state === 'CONTAINER_RUNNING') this.end(container.id, 137)
  }

  named(name: string): FakeContainer[] {
    return [...this.containersById.values()].filter(({ config }) => config.metadata.name === name)
  }

  close(): void {
    // The fake client holds no resources.
  }

  async version() {
    return { runtimeName: 'fake', runtimeVersion: '1' }
  }

  async sandboxes(uid?: string): Promise<CriSandbox[]> {
    return [...this.sandboxesById.values()]
      .filter(({ config }) => uid === undefined || config.metadata.uid === uid)
      .sort((a, b) => b.created - a.created)
      .map(({ id, config, state, created }) => ({
        ...{ id, state, metadata: config.metadata, labels: config.labels },
        createdAt: nanoseconds(created),
      }))
  }

  async runSandbox(config: PodSandboxConfig): Promise<string> {
    this.#fail('runSandbox')
    const id = `s${this.#next}`
    this.sandboxesById.set(id, { id, config, state: 'SANDBOX_READY', created: this.#next++ })
    return id
  }

  async sandboxAddress(): Promise<string> {
    return '10.9.9.9'
  }

  async stopSandbox(id: string): Promise<void> {
    if (this.sandboxesById.has(id)) this.endSandbox(id)
  }

  async removeSandbox(id: string): Promise<void> {
    this.sandboxesById.delete(id)
    for (const container of [...this.containersById.values()])
      if (container.sandbox === id) this.containersById.delete(container.id)
  }

  async containers({ uid, name }: { uid?: string; name?: string } = {}): Promise<CriContainer[]> {
    return [...this.containersById.values()]
      .filter(
        ({ config }) => uid === undefined || (config.labels as Record<string, string>)['io.kubernetes.pod.uid'] === uid,
      )
      .filter(({ config }) => name === undefined || config.metadata.name === name)
      .sort((a, b) => b.created - a.created)
      .map(({ id, sandbox, config, state, created }) => ({
        ...{ id, state, podSandboxId: sandbox, metadata: config.metadata },
        createdAt: nanoseconds(created),
      }))
  }

  async status(id: string): Promise<CriContainerStatus | undefined> {
    const found = this.containersById.get(id)
    if (found === undefined) return undefined
    const { sandbox, config, state, created, finished, exitCode, reason } = found
    return {
      ...{ id, state, exitCode, reason, podSandboxId: sandbox, metadata: config.metadata },
      ...{ createdAt: nanoseconds(created), startedAt: nanoseconds(created), finishedAt: nanoseconds(finished) },
      ...{ imageRef: 'sha256:b', message: '' },
    }
  }

  async createContainer(sandbox: string, config: ContainerConfig): Promise<string> {
    this.#fail('createContainer')
    const id = `c${this.#next}`
    const state = 'CONTAINER_CREATED' as const
    this.containersById.set(id, {
      ...{ id, sandbox, config, state, created: this.#next++ },
      finished: 0,
      exitCode: 0,
      reason: '',
    })
    return id
  }

  async startContainer(id: string): Promise<void> {
    const container = this.containersById.get(id)!
    if (this.faults.has('startContainer')) this.end(id, 128)
    this.#fail('startContainer')
    container.state = 'CONTAINER_RUNNING'
  }

  async stopContainer(id: string, seconds: number): Promise<void> {
    if (this.containersById.get(id)?.state === 'CONTAINER_RUNNING') this.end(id, seconds === 0 ? 137 : 0)
  }

  async removeContainer(id: string): Promise<void> {
    this.containersById.delete(id)
  }

  async exec(id: string): Promise<string> {
    return `http://127.0.0.1:1/exec/${id}`
  }

  async image(name: string): Promise<CriImage> {
    const poll = async (): Promise<CriImage> =>
      this.images.get(name) ?? Promise.reject(failure(`failed to pull ${name}`))
    return startStep('ErrImagePull', poll())
  }

  #fail(call: string): void {
    const fault = this.faults.get(call)
    this.faults.delete(call)
    if (fault !== undefined) throw failure(fault)
  }
}

const nanoseconds = (milliseconds: number): string => `${milliseconds}000000`
