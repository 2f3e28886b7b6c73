import { resolve } from 'node:path'
import type { SandboxArguments } from '../options/sandbox.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { paint, print } from './output.ts'
import { type Role, runRole } from './role.ts'
import { roleLogger } from './role-logger.ts'

/** Runs a sandbox until SIGINT or SIGTERM. Returns the exit status. */
export async function sandboxCommand(given: SandboxArguments): Promise<number> {
  const logger = roleLogger({ format: given.logFormat, verbosity: given.verbosity, fd: 2 })
  // A user reads this terminal, so log only failures, unless the user asks for more.
  if (given.verbosity === 0) logger.level = 'warn'
  return runRole(new SandboxRole(given, logger), { name: 'sandbox', logger, signals: process })
}

class SandboxRole implements Role {
  readonly #given: SandboxArguments
  readonly #logger: ReturnType<typeof roleLogger>
  #starting: Promise<Sandbox> | undefined

  constructor(given: SandboxArguments, logger: ReturnType<typeof roleLogger>) {
    this.#given = given
    this.#logger = logger
  }

  async start(): Promise<void> {
    const { nodes, port, data } = this.#given
    this.#starting = Sandbox.start({
      ...{ nodes, logger: this.#logger },
      ...(port !== undefined && { port }),
      ...(data !== undefined && { data: resolve(data) }),
    })
    print(howToUse(await this.#starting, data))
  }

  async stop(): Promise<void> {
    const sandbox = await this.#starting?.catch(() => undefined)
    await sandbox?.stop()
  }
}

function howToUse(sandbox: Sandbox, data: string | undefined): string {
  const bold = (text: string): string => paint(process.stdout)('bold', text)
  const names = sandbox.nodes.map(({ name }) => name)
  const nodes = names.length === 1 ? `one node, ${names[0]}` : `${names.length} nodes, ${names[0]} to ${names.at(-1)}`
  return `A cluster with vArmor runs at ${sandbox.api.url}: ${nodes}. Its kernel is simulated: profiles are recorded, not enforced.

In another terminal:

    ${bold(`export KUBECONFIG=${sandbox.kubeconfigPath}`)}
    kubectl get nodes
    kubectl apply -f - <<'END'
${example.trim()}
END
    kubectl get varmorpolicies,armorprofiles
    kubectl get pods -o yaml | grep -B1 -A2 seccompProfile

${data === undefined ? 'Objects are deleted when the sandbox stops; --data FOLDER keeps them.' : `Objects are kept in ${resolve(data)}.`} Ctrl-C stops the sandbox.
`
}

const example = `
apiVersion: crd.varmor.org/v1beta1
kind: VarmorPolicy
metadata: {name: web, namespace: default}
spec:
  target: {kind: Deployment, selector: {matchLabels: {app: web}}}
  policy:
    enforcer: AppArmorSeccomp
    mode: EnhanceProtect
    enhanceProtect: {hardeningRules: [disallow-create-user-ns], attackProtectionRules: [{rules: [disable-chmod]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web, sandbox.varmor.org/enable: "true"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
`
