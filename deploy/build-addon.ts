/**
 * Builds native/addon with node-gyp, without downloads. The headers of Node.js come from its installation, or from
 * npm's `nodedir`. With --optional, the build reports a missing compiler and succeeds. A compiler error always fails
 * the build.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const missing = ['cc', 'g++', 'make', 'python3'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined)
const headers = findHeaders()
if (missing.length > 0) refuse(`it needs ${missing.join(', ')}`)
else if (headers === undefined)
  refuse('it needs the headers of Node.js (include/node); point npm_config_nodedir to them')
else build(headers)

function refuse(why: string): void {
  console.error(`native addon not built: ${why}. Without it, audit records come from log files or /dev/kmsg.`)
  if (!process.argv.includes('--optional')) process.exitCode = 1
}

function findHeaders(): string | undefined {
  const configured = process.env['npm_config_nodedir']
  const installed = dirname(dirname(realpathSync(process.execPath)))
  return [configured, installed].find((dir) => dir && existsSync(join(dir, 'include', 'node', 'node_api.h')))
}

function build(nodedir: string): void {
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  const args = [gyp, 'rebuild', '--silent', '-C', join(root, 'native', 'addon')]
  // Use the environment, because node-gyp prefers it to arguments.
  const env = { ...process.env, npm_config_nodedir: nodedir }
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env })
  if (status === 0) return
  process.stderr.write(stdout + stderr)
  process.exitCode = 1
}
