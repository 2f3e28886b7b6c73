import type { GuestPods } from './guest-pods.ts'

/** Observations of a process in a container since its start. */
export interface Probed {
  rounds: number
  /** Wrong results, as `ROUND WHAT`: a forbidden operation succeeded, or an allowed operation failed. */
  gaps: string[]
}

const folder = '/tmp/prober'

/**
 * Each round tries four operations: AppArmor, BPF and Seccomp refuse one each, and one is allowed. The shell itself
 * opens the files, so a round makes one record for AppArmor and one for BPF.
 */
const script = `
mkdir -p ${folder}
round=0
while [ ! -e ${folder}/stop ]; do
  round=$((round + 1))
  { true >/etc/new; } 2>/dev/null && echo "$round AppArmor" >>${folder}/gaps
  { read -r line </etc/group; } 2>/dev/null && echo "$round BPF" >>${folder}/gaps
  unshare -U true 2>/dev/null && echo "$round Seccomp" >>${folder}/gaps
  { read -r line </etc/passwd && true >${folder}/allowed; } 2>/dev/null || echo "$round allowed" >>${folder}/gaps
  echo $round >${folder}/now && mv ${folder}/now ${folder}/rounds
  sleep 0.3
done
touch ${folder}/ended
`

/** A process that checks continuously that the policy of installed.test.ts is in force in its container. */
export class Prober {
  readonly #pods: GuestPods
  readonly #container: string

  private constructor(pods: GuestPods, container: string) {
    this.#pods = pods
    this.#container = container
  }

  static async start(pods: GuestPods, container: string): Promise<Prober> {
    await pods.runBehind(container, 'sh', '-c', script)
    return new Prober(pods, container)
  }

  async seen(): Promise<Probed> {
    const shown = `cat ${folder}/rounds 2>/dev/null || echo 0; cat ${folder}/gaps 2>/dev/null; true`
    const { code, stdout, stderr } = await this.#pods.run(this.#container, 'sh', '-c', shown)
    if (code !== 0) throw new Error(`the prober is not seen: ${stderr}`)
    const [rounds = '', ...gaps] = stdout.trim().split('\n')
    return { rounds: Number(rounds), gaps }
  }

  /** Waits until the current round has ended. */
  async stop(): Promise<Probed> {
    const wait = `touch ${folder}/stop; until [ -e ${folder}/ended ]; do sleep 0.1; done`
    await this.#pods.run(this.#container, 'sh', '-c', wait)
    return this.seen()
  }
}
