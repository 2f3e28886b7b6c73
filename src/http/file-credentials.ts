import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { ServingCredentials } from './server.ts'

/** Paths of two PEM files: a certificate, followed by its intermediate certificates, and its key. */
export interface CredentialFiles {
  cert: string
  key: string
}

interface Common {
  clock: Clock
  log: Pick<Logger, 'info' | 'error'>
  /**
   * Milliseconds between two checks of the files. Default: a minute, which is enough, because certificates are renewed
   * days before they expire.
   */
  every?: number
}

export interface FileCredentialsOptions extends Common {
  files: CredentialFiles
}

/** How to read the files, and the log messages for changed and for unusable files. */
interface Source<Found> {
  file: string
  read(): Promise<Found>
  changed: string
  unusable: string
}

/**
 * Reads certificates from files that another program renews, and reads the files again while the process runs. The
 * files contain the certificate of a server, or the certificate authorities of its clients.
 */
export class FileCredentials<Found extends object = ServingCredentials> {
  readonly #options: Common
  readonly #source: Source<Found>
  readonly #every: number
  #current: Found
  /** The last error, so that a lasting error is logged only once. */
  #trouble: string | undefined
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #closed = false

  private constructor(options: Common, source: Source<Found>, current: Found) {
    this.#options = options
    this.#source = source
    this.#every = options.every ?? 60_000
    this.#current = current
  }

  /** Opens the certificate of a server. @throws an Error that names the file and the fault */
  static async open({ files, ...options }: FileCredentialsOptions): Promise<FileCredentials> {
    const source = {
      ...{ file: files.cert, read: () => read(files) },
      ...{
        changed: 'serving a new certificate',
        unusable: 'the new certificate is unusable; still serving the old one',
      },
    }
    return new FileCredentials(options, source, await source.read())
  }

  /** Opens the certificate authorities of clients. @throws an Error that names the file and the fault */
  static async openClientCa({
    file,
    ...options
  }: Common & { file: string }): Promise<FileCredentials<{ clientCa: string }>> {
    const source = {
      ...{ file, read: () => readAuthorities(file) },
      changed: 'verifying clients with the new CAs',
      unusable: 'the new CAs for clients are unusable; still verifying clients with the old CAs',
    }
    return new FileCredentials(options, source, await source.read())
  }

  get current(): Found {
    return this.#current
  }

  /**
   * Starts to check the files, and calls `serve` with each new content. Unusable content is logged; the old content
   * stays in use.
   */
  follow(serve: (found: Found) => void): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.after(this.#every, () => {
      this.#looking = this.#poll(serve).then(() => this.follow(serve))
    })
  }

  /** Stops reading the files. Resolves when the current read has ended. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#looking
  }

  async #poll(serve: (found: Found) => void): Promise<void> {
    const { log } = this.#options
    const { file, changed, unusable } = this.#source
    try {
      const found = await this.#source.read()
      this.#trouble = undefined
      if (JSON.stringify(found) === JSON.stringify(this.#current)) return
      this.#current = found
      serve(found)
      log.info({ file }, changed)
    } catch (error) {
      const problem = String(error)
      if (problem !== this.#trouble) log.error({ file, reason: problem }, unusable)
      this.#trouble = problem
    }
  }
}

async function read({ cert, key }: CredentialFiles): Promise<ServingCredentials> {
  const found = { cert: await readText(cert), key: await readText(key) }
  try {
    createSecureContext(found)
  } catch (cause) {
    const { message } = cause as Error
    const remedy = 'both must be PEM, and the key must belong to the certificate'
    throw new Error(`${cert} and ${key} are not a certificate and its key: ${message}; ${remedy}`, { cause })
  }
  return found
}

const [begin, end] = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----']

async function readAuthorities(file: string): Promise<{ clientCa: string }> {
  return { clientCa: authoritiesIn(await readText(file), file) }
}

/**
 * The certificates in a PEM text. This function checks each certificate, because Node.js ignores invalid certificates.
 * If all are invalid, Node.js would trust the public authorities.
 * @param where the source of the text, for messages
 * @throws an Error that names `where`
 */
export function authoritiesIn(pem: string, where: string): string {
  // The text is split, because a regular expression would search the whole text for the end of each certificate.
  const [, ...texts] = pem.split(begin)
  const certificates = texts.map((text) => (text.includes(end) ? `${begin}${text.split(end, 1)[0]}${end}` : begin))
  if (certificates.length === 0) throw new Error(`${where} has no CA certificate; it must be PEM`)
  try {
    for (const one of certificates) new X509Certificate(one)
  } catch (cause) {
    throw new Error(`${where} has an invalid certificate: ${(cause as Error).message}`, { cause })
  }
  return certificates.join('\n')
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new Error(`cannot read a certificate file: ${(cause as Error).message}`, { cause })
  }
}
