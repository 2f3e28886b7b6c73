import type { KernelEnforcer } from '../api/enforcer.ts'
import type { DynamicResult } from '../api/types.ts'
import { alwaysNeeded } from '../profile/seccomp/modeling.ts'
import type { FileOperation } from './operation.ts'
import { OWN_LABEL, type Recorded, Unjudged } from './recorded.ts'
import {
  capabilityOf,
  familyOf,
  fileActionsOf,
  mountingOf,
  protocolOf,
  ptraceAccessesOf,
  socketTypeOf,
} from './words.ts'

type AppArmorModel = NonNullable<DynamicResult['appArmor']>
type BpfModel = NonNullable<DynamicResult['bpf']>
type ModelFile = NonNullable<BpfModel['files']>[number]
type ModelNetwork = NonNullable<BpfModel['network']>
type ModelPtrace = NonNullable<BpfModel['ptraces']>[number]

/** The operations that a model contains. */
export interface ModelOperations {
  operations: Recorded[]
  unjudged: Unjudged
  /** Programs that the workload ran. */
  programs: string[]
}

/** @param label the AppArmor label of the processes while they were modelled: the name of the model */
export function modelOperations(result: DynamicResult, label: string): ModelOperations {
  const reading = new Reading(label)
  if (result.appArmor !== undefined) reading.appArmor(result.appArmor)
  if (result.bpf !== undefined) reading.bpf(result.bpf)
  const { syscalls = [] } = result.seccomp ?? {}
  for (const name of syscalls) reading.operations.push({ by: 'Seccomp', operation: { kind: 'syscall', name } })
  for (const name of result.seccomp === undefined ? [] : alwaysNeeded)
    if (!syscalls.includes(name))
      reading.operations.push({ by: 'Seccomp', operation: { kind: 'syscall', name }, implied: true })
  return reading
}

class Reading implements ModelOperations {
  readonly operations: Recorded[] = []
  readonly unjudged = new Unjudged()
  readonly programs: string[] = []
  readonly #label: string

  constructor(label: string) {
    this.#label = label
  }

  appArmor(model: AppArmorModel): void {
    this.#common('AppArmor', model)
    this.#network('AppArmor', model.networks ?? {})
    for (const { peer, permissions, signals } of model.signals ?? []) {
      for (const permission of permissions) {
        const access = permission === 'send' || permission === 'receive' ? permission : undefined
        if (access === undefined) this.unjudged.add('the signal access is not known', permission)
        else
          for (const signal of signals)
            this.#add('AppArmor', { kind: 'signal', access, signal: signal.toLowerCase(), peer: this.#peer(peer) })
      }
    }
    for (const record of model.unhandled ?? []) this.unjudged.add('the model could not interpret the record', record)
  }

  bpf(model: BpfModel): void {
    this.#common('BPF', model)
    this.#network('BPF', model.network ?? {})
    for (const { path, type, flags = [] } of model.mounts ?? []) {
      const { operation, flags: bits } = mountingOf(flags)
      const fstype = type === undefined || type === '' ? {} : { fstype: type }
      this.#add('BPF', { kind: 'mount', operation, flags: bits, target: path, ...fstype })
    }
  }

  #add(by: KernelEnforcer, operation: Recorded['operation']): void {
    this.operations.push({ by, operation })
  }

  #common(by: KernelEnforcer, model: Pick<BpfModel, 'executions' | 'files' | 'capabilities' | 'ptraces'>): void {
    for (const path of model.executions ?? []) {
      this.programs.push(path)
      this.#add(by, fileOf(by, path, 'exec'))
    }
    for (const file of model.files ?? []) this.#file(by, file)
    for (const word of model.capabilities ?? []) {
      const name = capabilityOf(word)
      if (name === undefined) this.unjudged.add('the capability is not known', word)
      else this.#add(by, { kind: 'capability', name })
    }
    for (const ptrace of model.ptraces ?? []) this.#ptrace(by, ptrace)
  }

  #file(by: KernelEnforcer, { path, oldPath, permissions, owner }: ModelFile): void {
    const own = owner === undefined ? {} : { isOwn: owner }
    const isPattern = oldPath !== undefined && oldPath !== ''
    for (const permission of permissions) {
      const actions = fileActionsOf(permission)
      if (actions === undefined) this.unjudged.add('the file permission is not known', `${permission} ${path}`)
      for (const action of actions ?? []) this.#add(by, { ...fileOf(by, path, action, isPattern), ...own })
    }
  }

  #ptrace(by: KernelEnforcer, { peer, permissions, external }: ModelPtrace): void {
    for (const permission of permissions) {
      const accesses = ptraceAccessesOf(permission)
      if (accesses === undefined) this.unjudged.add('the ptrace access is not known', permission)
      for (const access of accesses ?? []) {
        const other = peer === undefined || peer === '' ? {} : { peer: this.#peer(peer) }
        // A peer with the label of the model is in this container, or in another container of the workload.
        const own = peer !== undefined && peer === this.#label ? { isOutside: false } : {}
        const outside = external === undefined ? own : { isOutside: external }
        this.#add(by, { kind: 'ptrace', access, ...other, ...outside })
      }
    }
  }

  /** Under the judged policy, the workload has the label of that policy's profile. */
  #peer(label: string): string {
    return label === this.#label ? OWN_LABEL : label
  }

  #network(by: KernelEnforcer, { sockets = [], egresses = [] }: ModelNetwork): void {
    for (const { domain = '', type = '', protocol = '' } of sockets) {
      const family = familyOf(domain)
      const socketType = socketTypeOf(type)
      const number = protocol === '' ? undefined : protocolOf(protocol)
      if (family === undefined) this.unjudged.add('the socket family is not known', domain)
      else
        this.#add(by, {
          kind: 'socket',
          domain: family,
          ...(socketType !== undefined && { type: socketType }),
          ...(number !== undefined && { protocol: number }),
        })
    }
    for (const { ip, ports } of egresses) for (const port of ports) this.#add(by, { kind: 'egress', address: ip, port })
  }
}

/**
 * A path of a model. If the model gives `oldPath`, the path is a pattern, and `oldPath` is a file that it stands for.
 * All other paths are literal. Patterns in models of upstream are AppArmor globs.
 */
function fileOf(by: KernelEnforcer, path: string, action: FileOperation['action'], isPattern = false): FileOperation {
  const pattern = !isPattern ? {} : { pattern: isGlob(path) ? ('glob' as const) : ('path' as const) }
  if (by === 'BPF') return { kind: 'file', path, action, ...pattern }
  return { kind: 'file', path, action, type: path.endsWith('/') ? 'directory' : 'file', ...pattern }
}

const isGlob = (path: string): boolean => /\?|\[[^\]]+\]|\{[^}]*,[^}]*\}|@\{\w+\}/.test(path)
