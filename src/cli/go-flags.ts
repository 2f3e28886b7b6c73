import type { Option } from 'commander'

// Upstream parses its flags with Go's package flag, and its chart passes on flags that users write. So the roles accept
// Go's forms.

/**
 * Flags of upstream's single program, which all its roles accept. Not `preDelete` and `version`: with these, upstream's
 * program does something else, so a role refuses them.
 */
export const upstreamFlags = {
  switch: [
    ...['agent', 'enableMetrics', 'enableBpfEnforcer', 'enableBehaviorModeling', 'enableServiceEgressControl'],
    ...['enablePodEgressControl', 'unloadAllAaProfiles', 'removeAllSeccompProfiles', 'bpfExclusiveMode'],
    ...['restartExistWorkloads', 'debug'],
    // Flags of old releases of upstream.
    ...['enableDefenseInDepth', 'enablePodServiceEgressControl', 'unloadAllAaProfile'],
  ],
  value: [
    ...['clientRateLimitQPS', 'clientRateLimitBurst', 'webhookTimeout', 'webhookMatchLabel', 'statusUpdateCycle'],
    ...['auditLogPaths', 'logFormat', 'v', 'verbosity', 'managerIP', 'kubeconfig'],
  ],
}

/** The words for true and false in Go's strconv.ParseBool. */
const truths = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
])

export interface GoArguments {
  /** The arguments in commander's form. */
  args: string[]
  /** Upstream's flags that have no effect on this role, as the user wrote them. */
  ignored: string[]
  /** For each former name of a flag among the arguments: the present name of this flag. */
  renamed: ReadonlyMap<string, string>
}

/**
 * Rewrites arguments of a role from the forms of Go's package flag to commander's form: `-x` becomes `--x`, and a
 * switch may have a value (`--b=true`; `--b=false` turns it off, even after it was on). Short options, values and
 * unknown arguments stay unchanged. A former name of a flag becomes the present name. If both names are given, the last
 * flag has effect.
 * @param names the present name of each former name
 */
export function readLikeGo(
  options: readonly Option[],
  args: readonly string[],
  names: ReadonlyMap<string, string>,
): GoArguments {
  const written: { of?: Option; words: string[] }[] = []
  const ignored: string[] = []
  const renamed = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') {
      written.push({ words: args.slice(i) })
      break
    }
    const [, given = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    const name = names.get(given) ?? given
    if (name !== given) renamed.set(given, name)
    const option = options.find(({ long, short }) => long === `--${name}` || short === `-${name}`)
    const isSwitch = option === undefined ? upstreamFlags.switch.includes(name) : !option.required && !option.optional
    const isOn = truths.get(value ?? 'true')
    // In Go, the next word is the value of a flag, even if that word starts with a dash.
    const more = isSwitch || value !== undefined ? [] : args.slice(i + 1, i + 2)
    if (option === undefined) {
      const isWhole = isSwitch ? isOn !== undefined : value !== undefined || more.length > 0
      const isUpstreams = isWhole && (isSwitch || upstreamFlags.value.includes(name))
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
  return { args: written.flatMap(({ words }) => words), ignored, renamed }
}
