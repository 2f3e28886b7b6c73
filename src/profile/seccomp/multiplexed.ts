import type { SyscallRule } from './syscall-rule.ts'
import { isRefusing } from './vocabulary.ts'

/** Numbers of the calls within socketcall(2) (include/uapi/linux/net.h). */
// biome-ignore format: a table reads better
const socketcalls: Record<string, number> = {
  socket: 1, bind: 2, connect: 3, listen: 4, accept: 5, getsockname: 6, getpeername: 7, socketpair: 8, send: 9,
  recv: 10, sendto: 11, recvfrom: 12, shutdown: 13, setsockopt: 14, getsockopt: 15, sendmsg: 16, recvmsg: 17,
  accept4: 18, recvmmsg: 19, sendmmsg: 20,
}

/** Numbers of the calls within ipc(2) (include/uapi/linux/ipc.h). */
// biome-ignore format: a table reads better
const ipcs: Record<string, number> = {
  semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14, shmat: 21, shmdt: 22,
  shmget: 23, shmctl: 24,
}

/** Mask of the call's number: socketcall takes an int, and refuses unknown numbers. */
const INT = 0xffffffffn

/** Mask of the call's number: the upper half of ipc's first argument is a version (ipc/syscall.c). */
const IPC_CALL = 0xffffn

/**
 * Refuses the same call through socketcall or ipc, by which 32-bit x86 programs would bypass `rule`. Both calls pass
 * arguments in memory, where a filter cannot read them, so a rule with comparisons refuses the call for all arguments.
 * Other architectures do not have the two calls, and runtimes skip the rule there.
 */
export function multiplexedWay(rule: SyscallRule): SyscallRule[] {
  if (!isRefusing(rule.action)) return []
  const inSocketcall = socketcalls[rule.name]
  if (inSocketcall !== undefined && rule.when.length > 0) {
    return [{ ...rule, name: 'socketcall', when: [equals(inSocketcall, INT)] }]
  }
  const inIpc = ipcs[rule.name]
  return inIpc === undefined ? [] : [{ ...rule, name: 'ipc', when: [equals(inIpc, IPC_CALL)] }]
}

function equals(call: number, mask: bigint): SyscallRule['when'][number] {
  return { index: 0, kind: 'masked', mask, value: BigInt(call) }
}
