import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManagedProcess } from '../managed-process.ts'
import { freePorts } from '../ports.ts'

const user = 'releaser'
const password = 's3cret'
/** bcrypt of the password, by `perl -e 'print crypt("s3cret", q($2y$05$abcdefghijklmnopqrstuu))'`. */
const hash = '$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK'
const basic = Buffer.from(`${user}:${password}`).toString('base64')

/** A registry on the loopback that demands a password. */
export class LocalRegistry {
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-registry-'))
  /** File with the credentials, in the form that `buildah login` writes. */
  readonly authFile = join(this.folder, 'auth.json')
  #process: ManagedProcess | undefined
  #host = ''

  get host(): string {
    return this.#host
  }

  async start(): Promise<void> {
    const [port] = await freePorts(1)
    this.#host = `127.0.0.1:${port}`
    const file = (name: string, text: string): string => {
      writeFileSync(join(this.folder, name), text)
      return join(this.folder, name)
    }
    file('auth.json', JSON.stringify({ auths: { [this.#host]: { auth: basic } } }))
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(this.folder, 'data') } },
      http: { addr: this.#host },
      auth: { htpasswd: { realm: 'test', path: file('htpasswd', `${user}:${hash}\n`) } },
    }
    this.#process = new ManagedProcess({
      name: 'registry',
      command: ['docker-registry', 'serve', file('config.yml', JSON.stringify(config))],
      logs: this.folder,
      env: {},
      serves: async () => (await fetch(`http://${this.#host}/v2/`)).status === 401,
    })
    await this.#process.start()
  }

  /** The answer to a request with the password. @throws with the status if the registry refuses it */
  async get(path: string): Promise<Buffer> {
    const accept = 'application/vnd.oci.image.manifest.v1+json'
    const answer = await fetch(`http://${this.#host}/v2/${path}`, {
      headers: { authorization: `Basic ${basic}`, accept },
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }

  async end(): Promise<void> {
    await this.#process?.stop()
    rmSync(this.folder, { recursive: true })
  }

  /** The registry's log, for the message of a failed test. */
  log = (): string => readFileSync(join(this.folder, 'registry.log'), 'utf8')
}
