import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { HelmMajor } from '../binaries/helm.ts'
import { type CommandResult, result } from '../command.ts'

export const chart = join(import.meta.dirname, '..', '..', '..', 'deploy/helm/varmor')

/**
 * A copy of the chart with another version.
 * @returns the folder of the copy, which is removed when the process ends
 */
export function chartOf(version: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-chart-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  cpSync(chart, folder, { recursive: true })
  const file = join(folder, 'Chart.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^(version|appVersion): .*$/gm, `$1: ${version}`))
  return folder
}

export interface Manifest {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  spec?: Record<string, unknown>
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[]
}

/** Registry name of the tests' image. */
export const registry = 'registry.test'

/** Commands that take values. */
const withValues = ['install', 'lint', 'template', 'upgrade']

/** The objects of texts that Helm rendered: most are the same whatever the values are, and large. */
const parsed = new Map<string, Manifest[]>()

/** @param text one document of Helm's output, which begins with `---` */
function manifestsOf(text: string): Manifest[] {
  let found = parsed.get(text)
  if (found === undefined) {
    // YAML 1.1, the version that Kubernetes reads.
    const documents = parseAllDocuments(text, { version: '1.1', merge: true })
    found = documents.map((document) => document.toJS() as Manifest | null).filter((one) => one !== null)
    parsed.set(text, found)
  }
  return structuredClone(found)
}

/** Runs Helm with a separate home folder. It sets the tests' image, unless the values set an image. */
export class Helm {
  readonly major: HelmMajor
  readonly #program: string
  readonly #home = mkdtempSync(join(tmpdir(), 'varmor-helm-'))

  constructor(major: HelmMajor, program: string) {
    this.major = major
    this.#program = program
  }

  /** Runs Helm, whatever its exit status. `values` are passed as a file. */
  async run(args: readonly string[], values?: object): Promise<CommandResult> {
    const takes = withValues.includes(args[0]!)
    const all = takes ? [{ image: { registry, namespace: '' } }, values ?? {}] : []
    const given = all.flatMap((one, i) => {
      const file = join(this.#home, `values-${i}.json`)
      writeFileSync(file, JSON.stringify(one))
      return ['--values', file]
    })
    const env = {
      ...process.env,
      HELM_CACHE_HOME: this.#home,
      HELM_CONFIG_HOME: this.#home,
      HELM_DATA_HOME: this.#home,
    }
    return result(this.#program, [...args, ...given], { env })
  }

  /** Returns the output of helm. @throws with its error output */
  async output(args: readonly string[], values?: object): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, values)
    if (status !== 0) throw new Error(`helm ${args.join(' ')}: exit status ${status}\n${stderr}${stdout}`)
    return stdout
  }

  /** The objects that the chart renders with these values, including hooks. */
  async template(values: object, ...flags: string[]): Promise<Manifest[]> {
    const text = await this.output(['template', 'varmor', chart, '--namespace', 'varmor', ...flags], values)
    return text.split(/^(?=---$)/m).flatMap(manifestsOf)
  }

  end(): void {
    rmSync(this.#home, { recursive: true, force: true })
  }
}
