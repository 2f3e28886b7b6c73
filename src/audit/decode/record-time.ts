const nanoseconds = 1_000_000_000
/** 2^32 ns are 4 s and 294,967,296 ns. */
const highSeconds = 4
const highRest = 294_967_296

/** The time of a BPF record, since boot and by the wall clock. All numbers are exact for four years after boot. */
export class RecordTime {
  /** Seconds since boot, and the nanoseconds after them. */
  uptime = 0
  uptimeNs = 0
  /** Unix seconds, and the nanoseconds after them. */
  epoch = 0
  epochNs = 0
  #boot = 0
  #bootNs = 0

  /** @param bootTime Unix seconds, with a fraction */
  use(bootTime: number): void {
    this.#boot = Math.floor(bootTime)
    this.#bootNs = Math.min(Math.round((bootTime - this.#boot) * nanoseconds), nanoseconds - 1)
  }

  /**
   * Reads the 64 bits at `offset` in two parts: in one JavaScript number, nanoseconds are exact only for the first 104
   * days.
   */
  read(view: DataView, offset: number): void {
    const high = view.getUint32(offset + 4, true)
    const rest = high * highRest + view.getUint32(offset, true)
    const seconds = Math.floor(rest / nanoseconds)
    this.uptime = high * highSeconds + seconds
    this.uptimeNs = rest - seconds * nanoseconds
    const sum = this.uptimeNs + this.#bootNs
    const carry = sum >= nanoseconds ? 1 : 0
    this.epoch = this.#boot + this.uptime + carry
    this.epochNs = sum - carry * nanoseconds
  }
}
