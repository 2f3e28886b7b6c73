import { controllerOf } from '../ownership.ts'
import { isTerminal } from '../pod-state.ts'
import type { Node, Pod } from '../types.ts'
import { type Amounts, add, amountsOf, podAmounts, subtract } from './resource-amounts.ts'

interface Placed {
  readonly node: string
  readonly amounts: Amounts
  readonly owner: string
}

interface Room {
  readonly used: Map<string, number>
  /** Pods by the uid of their controller. */
  readonly owners: Map<string, number>
  allocatable: Map<string, number>
}

/** What is taken of each node, kept up pod by pod. */
export class ClusterRoom {
  private readonly rooms = new Map<string, Room>()
  /** By uid of the pod. */
  private readonly placed = new Map<string, Placed>()

  setNode({ metadata, status }: Node): void {
    this.room(metadata.name).allocatable = amountsOf(status?.allocatable)
  }

  /** Notes where a pod is; the same again changes nothing. A pod that has ended takes no room. */
  setPod(pod: Pod, node = pod.spec.nodeName ?? ''): void {
    const uid = pod.metadata.uid ?? ''
    const known = this.placed.get(uid)
    const takes = node !== '' && !isTerminal(pod)
    if (known && takes && known.node === node) return
    this.removePod(uid)
    if (!takes) return
    const owner = controllerOf(pod.metadata)?.uid ?? ''
    const placed = { node, amounts: podAmounts(pod.spec), owner }
    this.placed.set(uid, placed)
    const room = this.room(node)
    add(room.used, placed.amounts)
    room.owners.set(owner, (room.owners.get(owner) ?? 0) + 1)
  }

  removePod(uid: string): void {
    const placed = this.placed.get(uid)
    if (!placed) return
    this.placed.delete(uid)
    const room = this.room(placed.node)
    subtract(room.used, placed.amounts)
    room.owners.set(placed.owner, room.owners.get(placed.owner)! - 1)
  }

  /** The first resource of which a node has too little left. */
  lacks(node: string, amounts: Amounts): string | undefined {
    const { used, allocatable } = this.room(node)
    for (const [name, amount] of amounts)
      if (amount > 0 && (used.get(name) ?? 0) + amount > (allocatable.get(name) ?? 0) * (1 + 1e-9)) return name
    return undefined
  }

  /** Pods of the same controller on a node. */
  siblings(node: string, owner: string): number {
    return this.room(node).owners.get(owner) ?? 0
  }

  /** The share of a node that is taken: of the resource that is scarcest. */
  load(node: string): number {
    const { used, allocatable } = this.room(node)
    let load = 0
    for (const [name, amount] of used) load = Math.max(load, amount / (allocatable.get(name) || 1))
    return load
  }

  private room(node: string): Room {
    const known = this.rooms.get(node)
    if (known) return known
    const room: Room = { used: new Map(), owners: new Map(), allocatable: new Map() }
    this.rooms.set(node, room)
    return room
  }
}
