import type { Option } from 'commander'

// Upstream reads its flags by Go's package flag, and its chart hands on what users write. What it takes is to be taken here, too.

/** Flags of upstream's one program, which all its roles take. */
const upstreamSwitches = [
  ...['agent', 'enableMetrics', 'enableBpfEnforcer', 'enableBehaviorModeling', 'enableServiceEgressControl'],
  ...['enablePodEgressControl', 'unloadAllAaProfiles', 'removeAllSeccompProfiles', 'bpfExclusiveMode'],
  ...['restartExistWorkloads', 'debug', 'enableDefenseInDepth', 'enablePodServiceEgressControl'],
]
const upstreamValues = [
  ...['clientRateLimitQPS', 'clientRateLimitBurst', 'webhookTimeout', 'webhookMatchLabel', 'statusUpdateCycle'],
  ...['auditLogPaths', 'logFormat', 'v', 'verbosity', 'managerIP', 'kubeconfig'],
]

/** As Go's strconv.ParseBool. */
const truths = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
])

export interface GoArguments {
  /** As commander takes them. */
  args: string[]
  /** Flags of upstream's that mean nothing to this role, as they were written. */
  ignored: string[]
}

/**
 * Writes arguments of a role as commander takes them, where they are as Go's package flag takes them: `-x` for `--x`, and switches with a
 * value (`--b=true`; with `--b=false` it is off, also where it was on before). All else stays as it is: short options, values, what is unknown.
 */
export function readLikeGo(options: readonly Option[], args: readonly string[]): GoArguments {
  const written: { of?: Option; words: string[] }[] = []
  const ignored: string[] = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') {
      written.push({ words: args.slice(i) })
      break
    }
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    const option = options.find(({ long, short }) => long === `--${name}` || short === `-${name}`)
    const isSwitch = option === undefined ? upstreamSwitches.includes(name) : !option.required && !option.optional
    const isOn = truths.get(value ?? 'true')
    // The next word is its value, whatever it begins with.
    const more = isSwitch || value !== undefined ? [] : args.slice(i + 1, i + 2)
    if (option === undefined) {
      const isWhole = isSwitch ? isOn !== undefined : value !== undefined || more.length > 0
      const isUpstreams = isWhole && (isSwitch || upstreamValues.includes(name))
      if (isUpstreams) {
        ignored.push(word)
        i += more.length
      } else written.push({ words: [word] })
      continue
    }
    i += more.length
    const long = option.long ?? word
    const isPlain = isSwitch && isOn !== undefined
    if (!isPlain) written.push({ words: [value === undefined ? long : `${long}=${value}`, ...more] })
    else if (isOn) written.push({ of: option, words: [long] })
    else for (const each of written) if (each.of === option) each.words = []
  }
  return { args: written.flatMap(({ words }) => words), ignored }
}
