import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { ServingCredentials } from './server.ts'

/** Paths of a certificate, with those between it and its authority behind it, and of its key. Both in PEM. */
export interface CredentialFiles {
  cert: string
  key: string
}

export interface FileCredentialsOptions {
  files: CredentialFiles
  clock: Clock
  log: Pick<Logger, 'info' | 'error'>
  /** Milliseconds between two looks at the files. Default a minute: who renews a certificate does it days before its end. */
  every?: number
}

/** A server's certificate in files that somebody else renews: it is read anew while the server goes on. */
export class FileCredentials {
  readonly #options: FileCredentialsOptions
  readonly #every: number
  #current: ServingCredentials
  /** What is wrong with the files now; said once. */
  #trouble: string | undefined
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #closed = false

  private constructor(options: FileCredentialsOptions, current: ServingCredentials) {
    this.#options = options
    this.#every = options.every ?? 60_000
    this.#current = current
  }

  /** @throws an Error that names the file, and what is wrong with it */
  static async open(options: FileCredentialsOptions): Promise<FileCredentials> {
    return new FileCredentials(options, await read(options.files))
  }

  get current(): ServingCredentials {
    return this.#current
  }

  /** From now on `serve` gets each new pair. One that cannot be used leaves what was served. */
  follow(serve: (credentials: ServingCredentials) => void): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.after(this.#every, () => {
      this.#looking = this.#look(serve).then(() => this.follow(serve))
    })
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#looking
  }

  async #look(serve: (credentials: ServingCredentials) => void): Promise<void> {
    const { files, log } = this.#options
    try {
      const found = await read(files)
      this.#trouble = undefined
      if (found.cert === this.#current.cert && found.key === this.#current.key) return
      this.#current = found
      serve(found)
      log.info({ file: files.cert }, 'a new certificate is served')
    } catch (error) {
      const problem = String(error)
      if (problem !== this.#trouble)
        log.error({ file: files.cert, reason: problem }, 'the old certificate is served on')
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
    const remedy = 'both have to be PEM, and the key that of the certificate'
    throw new Error(`${cert} and ${key} are no certificate with its key: ${message}; ${remedy}`, { cause })
  }
  return found
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new Error(`a certificate's file cannot be read: ${(cause as Error).message}`, { cause })
  }
}
