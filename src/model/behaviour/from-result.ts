import type { DynamicResult } from '../../api/types.ts'
import { Behaviour } from './behaviour.ts'
import type { LeftOut } from './left-out.ts'
import type { Limits } from './limits.ts'
import type { Recorder } from './permissions.ts'

type Common = Pick<NonNullable<DynamicResult['bpf']>, 'executions' | 'files' | 'capabilities' | 'network' | 'ptraces'>

function addCommon(behaviour: Behaviour, recorder: Recorder, common: Common): void {
  for (const path of common.executions ?? []) behaviour.addExecution(recorder, path)
  for (const { oldPath, ...file } of common.files ?? []) {
    if (oldPath === undefined || oldPath === '') behaviour.addFile(recorder, file)
    else behaviour.addPattern(recorder, oldPath, file)
  }
  for (const name of common.capabilities ?? []) behaviour.addCapability(recorder, name)
  for (const socket of common.network?.sockets ?? []) behaviour.addSocket(recorder, socket)
  for (const { ip, ports } of common.network?.egresses ?? []) {
    for (const port of ports) behaviour.addEgress(recorder, ip, port)
  }
  for (const ptrace of common.ptraces ?? []) behaviour.addPtrace(recorder, ptrace)
}

/**
 * The behaviour in a model. As in upstream, the path of a file with `oldPath` is a pattern; all other paths are
 * literal.
 * @param result from a valid ArmorProfileModel
 */
export function fromDynamicResult(result: DynamicResult, leftOut: readonly LeftOut[] = [], limits?: Limits): Behaviour {
  const behaviour = new Behaviour(limits)
  const { appArmor, bpf, seccomp } = result
  if (appArmor !== undefined) {
    const { networks: network, ...common } = appArmor
    addCommon(behaviour, 'appArmor', { ...common, ...(network !== undefined && { network }) })
    for (const name of appArmor.profiles ?? []) behaviour.addProfile(name)
    for (const signal of appArmor.signals ?? []) behaviour.addSignal(signal)
    for (const record of appArmor.unhandled ?? []) behaviour.addUnhandled(record)
  }
  if (bpf !== undefined) addCommon(behaviour, 'bpf', bpf)
  for (const mount of bpf?.mounts ?? []) behaviour.addMount(mount)
  for (const name of seccomp?.syscalls ?? []) behaviour.addSyscall(name)
  behaviour.addLeftOut(leftOut)
  return behaviour
}
