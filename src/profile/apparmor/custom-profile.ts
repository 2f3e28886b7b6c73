import { type FieldError, nearestName } from '../../api/field-error.ts'
import type { AppArmorFeatures } from '../context.ts'
import type { Skipped } from '../result.ts'
import { abstractions, quietAbstractions } from './abstractions.ts'
import { overlaps } from './exact-overlap.ts'
import { comment } from './quoted.ts'
import { takeRule, textError } from './raw-rules.ts'
import { atLeast, audited, type ParsedRule, parseRule, refused } from './rule-grammar.ts'
import { BadText, type Token, tokensOf } from './tokens.ts'
import { exactExecutions, tooManyWays } from './transition-conflicts.ts'
import { pathOf } from './value.ts'

/** A profile by a user or by behaviour modelling, parsed and printed again. */
export interface CustomBlock {
  /** The text before the brace, without the flags: `profile NAME`, `hat NAME`. */
  head: string
  name: string
  flags: readonly string[]
  lines: readonly string[]
  rules: readonly ParsedRule[]
  children: readonly CustomBlock[]
}

export type CustomProfile =
  | { ok: true; abi: string; block: CustomBlock; skipped: Skipped[]; quiet: readonly string[] }
  | { ok: false; errors: FieldError[] }

// biome-ignore format: a table reads better
const knownFlags: readonly string[] = [
  'attach_disconnected', 'no_attach_disconnected', 'mediate_deleted', 'delegate_deleted', 'chroot_relative', 'namespace_relative',
  'chroot_attach', 'chroot_no_attach', 'audit', 'enforce', 'complain', 'kill',
]
const opposites = [
  ['attach_disconnected', 'no_attach_disconnected'],
  ['mediate_deleted', 'delegate_deleted'],
  ['chroot_relative', 'namespace_relative'],
  ['chroot_attach', 'chroot_no_attach'],
]
export const modes: readonly string[] = ['enforce', 'complain', 'kill']

function outermostName(tokens: readonly Token[]): string | undefined {
  return tokens[tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'profile') + 1]?.text
}

/**
 * Transitions within the profile. Only `cx` in the outermost block may name a child without its parent: within the
 * child `a`, apparmor_parser turns `cx -> b` into `a//b`, which is a profile of the node. If `children` is absent, any
 * name is accepted.
 */
function ownTransitions(names: readonly string[], children?: ReadonlySet<string>) {
  const known = (name: string) => children?.has(name) ?? true
  const isOwnLabel = (label: string) => {
    const [name, child, ...more] = label.split('//')
    return names.includes(name!) && (child === undefined || known(child)) && more.length === 0
  }
  return { outermost: { isOwnLabel, hasChild: known }, child: { isOwnLabel, hasChild: () => false } }
}

class Parser {
  private at = 0
  abi = '3.0'
  readonly skipped: Skipped[] = []
  /** Included files with silent denials. */
  readonly quiet: string[] = []
  private readonly tokens: readonly Token[]
  private readonly name: string
  /** The profile's name in the text. */
  private readonly given: string
  private readonly path: string
  private readonly features: AppArmorFeatures
  private readonly transitions: ReturnType<typeof ownTransitions>
  private within: 'outermost' | 'child' = 'outermost'

  constructor(
    tokens: readonly Token[],
    name: string,
    path: string,
    features: AppArmorFeatures,
    children?: ReadonlySet<string>,
  ) {
    this.tokens = tokens
    this.name = name
    this.path = path
    this.features = features
    this.given = outermostName(tokens) ?? name
    this.transitions = ownTransitions([name, this.given], children)
  }

  private fail(problem: string, token = this.tokens[this.at] ?? this.tokens.at(-1)): never {
    throw new BadText(token?.line ?? 1, problem)
  }

  private take(): Token {
    return this.tokens[this.at++] ?? this.fail('the text ends within the profile: a "}" is missing')
  }

  private takes(kind: Token['kind'], text?: string): boolean {
    const token = this.tokens[this.at]
    if (token?.kind !== kind || (text !== undefined && token.text !== text)) return false
    this.at += 1
    return true
  }

  parse(): CustomBlock {
    while (this.preamble());
    if (!this.takes('word', 'profile')) this.fail('a profile must begin with "profile NAME"')
    const block = this.block('profile', true)
    while (this.takes('comment'));
    if (this.at < this.tokens.length)
      this.fail('the text may contain only one profile; child profiles must be inside it')
    return block
  }

  private preamble(): boolean {
    const token = this.tokens[this.at]
    if (token === undefined) return this.fail('the text does not contain a profile')
    if (token.kind === 'comment') this.at += 1
    else if (token.kind === 'include' || (token.kind === 'word' && token.text === 'include')) {
      if (this.include() !== 'tunables/global')
        this.fail('only <tunables/global> may be included before the profile', token)
    } else if (this.takes('word', 'abi')) this.readAbi()
    else if (token.kind === 'word' && /^[@$]/.test(token.text))
      return this.fail('variables cannot be set: write the value where it is used')
    else return false
    return true
  }

  private readAbi(): void {
    const token = this.take()
    if (token.kind !== 'angle' || !/^abi\/(?:3\.0|4\.0)$/.test(token.text))
      this.fail('the ABI must be <abi/3.0> or <abi/4.0>', token)
    if (!this.takes(',')) this.fail('a comma must follow the ABI', token)
    if (token.text === 'abi/4.0' && atLeast(this.features, 4, 0)) this.abi = '4.0'
    else if (token.text === 'abi/4.0') {
      this.skipped.push({
        enforcer: 'AppArmor',
        path: this.path,
        rule: 'abi <abi/4.0>',
        reason: 'needs AppArmor 4.0; the profile uses <abi/3.0> instead',
      })
    }
  }

  /** @returns the name of the included file */
  private include(): string {
    const token = this.take()
    const parts = token.kind === 'include' ? includeOf(token) : this.includeWords(token)
    if (parts === undefined) this.fail('a file must be included as <abstractions/NAME> or <tunables/global>', token)
    return parts
  }

  private includeWords(token: Token): string | undefined {
    if (this.takes('word', 'if') && !this.takes('word', 'exists')) this.fail('expected "include if exists <…>"', token)
    return this.takes('angle') ? this.tokens[this.at - 1]!.text : undefined
  }

  private block(kind: 'profile' | 'hat', outermost = false): CustomBlock {
    const written = this.nameOf(this.take())
    const name = outermost ? this.name : written
    if (written !== name) this.renamed(written)
    const attachment = this.attachment(outermost)
    const flags = this.flags()
    if (!this.takes('{')) this.fail('expected "{" before the rules of the profile')
    const body = this.body()
    return { head: `${kind} ${name}${attachment}`, name, flags, ...body }
  }

  /**
   * Workloads use the name of the policy's profile, so a profile with another name is loaded under the policy's name.
   */
  private renamed(written: string): void {
    const reason = `the profile is loaded as ${this.name}, the name that the workloads of the policy use`
    this.skipped.push({ enforcer: 'AppArmor', path: this.path, rule: `profile ${written}`, reason, extent: 'nothing' })
  }

  /** Replaces the profile's name in labels of a rule. Paths start with a slash, so they are not labels. */
  private relabelled(rule: ParsedRule): ParsedRule {
    if (this.given === this.name) return rule
    const follow = (text: string) =>
      text.replaceAll(`"${this.given}"`, `"${this.name}"`).replaceAll(`"${this.given}//`, `"${this.name}//`)
    return { ...rule, text: follow(rule.text) }
  }

  private nameOf(token: Token): string {
    if ((token.kind === 'word' || token.kind === 'quoted') && /^[A-Za-z0-9][\w.-]*$/.test(token.text)) return token.text
    return this.fail('the name of a profile may contain letters, digits and ._- only', token)
  }

  /**
   * The path of the programs to which AppArmor attaches the profile. Only a child may have such a path: for other
   * profiles, the path would apply to the whole node.
   */
  private attachment(outermost: boolean): string {
    const token = this.tokens[this.at]
    if (token === undefined || token.kind === '{' || token.text === 'flags' || token.kind === '(') return ''
    if (outermost) this.fail('a profile with a path would confine that program on the whole node')
    this.at += 1
    return ` ${pathOf(token)}`
  }

  private flags(): string[] {
    if (this.takes('word', 'flags') && !this.takes('=')) this.fail('expected "flags=(…)"')
    const flags = new Set<string>()
    if (!this.takes('(')) return []
    while (!this.takes(')')) {
      if (this.takes(',')) continue
      const token = this.take()
      if (!knownFlags.includes(token.text))
        this.fail(
          `${JSON.stringify(token.text)} is not a supported flag; supported flags: ${knownFlags.join(', ')}`,
          token,
        )
      flags.add(token.text)
    }
    const both = opposites.find((pair) => pair.every((flag) => flags.has(flag)))
    if (both !== undefined) this.fail(`${both.join(' and ')} exclude each other`)
    if (modes.filter((mode) => flags.has(mode)).length > 1)
      this.fail(`the flags ${modes.join(', ')} exclude each other`)
    return [...flags]
  }

  private body(): Pick<CustomBlock, 'lines' | 'rules' | 'children'> {
    const body = { lines: [] as string[], rules: [] as ParsedRule[], children: [] as CustomBlock[] }
    while (!this.takes('}')) this.item(body)
    checkTransitions(body.rules)
    const twice = body.children.find(({ name }, i) => body.children.some((other, j) => j < i && other.name === name))
    if (twice !== undefined) this.fail(`two children have the name ${twice.name}`, this.tokens[this.at - 1])
    return body
  }

  private item({ lines, rules, children }: { lines: string[]; rules: ParsedRule[]; children: CustomBlock[] }): void {
    const token = this.tokens[this.at] ?? this.take()
    if (token.kind === 'comment') lines.push(comment(this.take().text.trim()))
    else if (token.kind === 'include' || (token.kind === 'word' && token.text === 'include'))
      lines.push(this.abstraction(token))
    else if (token.kind === 'word' && (token.text === 'profile' || token.text === 'hat')) {
      this.at += 1
      children.push(this.child(token.text, token))
    } else this.rule(lines, rules)
  }

  /** apparmor_parser loads a child of a child as a profile of the node: `b` within `a` within `p` becomes `a//b`. */
  private child(kind: 'profile' | 'hat', token: Token): CustomBlock {
    if (this.within === 'child')
      this.fail('a child profile cannot have children: AppArmor would load them as profiles of the node', token)
    this.within = 'child'
    const block = this.block(kind)
    this.within = 'outermost'
    return block
  }

  private abstraction(token: Token): string {
    const name = this.include()
    const match = /^abstractions\/([\w.+-]*\w)$/.exec(name)
    if (match === null) {
      this.fail('a profile may include <abstractions/NAME> only, no other files of the node', token)
    }
    if (!abstractions.includes(match[1]!)) this.fail(strange(match[1]!), token)
    if (quietAbstractions.includes(match[1]!)) this.quiet.push(name)
    return `include if exists <${name}>`
  }

  private rule(lines: string[], rules: ParsedRule[]): void {
    const refusal = this.tokens[this.at]?.kind === 'word' ? refused.get(this.tokens[this.at]!.text) : undefined
    if (refusal !== undefined) this.fail(refusal)
    const { rule, next } = takeRule(this.tokens, this.at)
    if (rule.length === 0) this.fail('no rule precedes this comma')
    const parsed = this.relabelled(parseRule(rule, this.features, this.transitions[this.within]))
    this.at = next
    rules.push(parsed)
    lines.push(parsed.needs === undefined ? `${parsed.text},` : comment(`left out: ${parsed.text} (${parsed.needs})`))
    if (parsed.needs !== undefined) {
      this.skipped.push({ enforcer: 'AppArmor', path: this.path, rule: parsed.text, reason: parsed.needs })
    }
  }
}

/**
 * The parser accepts only one way to execute a path. If both rules have wildcards, the parser itself reports the
 * conflict.
 */
function checkTransitions(rules: readonly ParsedRule[]): void {
  const executions = exactExecutions(rules)
  const found = overlaps(executions.map(({ path, transition }) => ({ value: path, kind: transition })))
  if (found === undefined) throw new BadText(executions[0]!.line, tooManyWays)
  const [clash] = found.sort((a, b) => a.second - b.second || a.first - b.first)
  if (clash === undefined) return
  const { transition } = executions[clash.first]!
  throw new BadText(executions[clash.second]!.line, `another rule executes ${clash.path} with ${transition}`)
}

function strange(name: string): string {
  const nearest = nearestName(name, abstractions)
  const meant = nearest === undefined ? '' : `did you mean <abstractions/${nearest}>? `
  return `<abstractions/${name}> is not one of the abstractions that keep programs inside the profile; ${meant}known abstractions: ${abstractions.join(', ')}`
}

function includeOf({ text }: Token): string | undefined {
  return /^include\s+(?:if\s+exists\s+)?<([^<>"]+)>\s*$/.exec(text)?.[1]
}

/**
 * Reads a whole profile, which is loaded as `name`. It may have children and hats, include known abstractions, and
 * change to its own children. Everything that reaches beyond the profile is refused: other profiles, attachments,
 * variables, other files of the node, programs outside of it.
 */
export function readCustomProfile(text: string, name: string, path: string, features: AppArmorFeatures): CustomProfile {
  try {
    const tokens = tokensOf(text)
    const children = new Parser(tokens, name, path, features).parse().children.map((child) => child.name)
    const parser = new Parser(tokens, name, path, features, new Set(children))
    const block = parser.parse()
    return { ok: true, abi: parser.abi, block, skipped: parser.skipped, quiet: parser.quiet }
  } catch (problem) {
    if (!(problem instanceof BadText)) throw problem
    return { ok: false, errors: [textError(path, text, problem)] }
  }
}

/**
 * The lines of the profile, with `more` at its end. Even in complain mode, the kernel enforces `deny` rules without
 * `audit` (aa_audit_file() in security/apparmor/file.c). So with `complain`, each such rule becomes `audit deny`.
 */
export function customLines(block: CustomBlock, complain: boolean, more: readonly string[] = []): string[] {
  const flags = complain ? [...block.flags.filter((flag) => !modes.includes(flag)), 'complain'] : block.flags
  const lines = complain ? block.lines.map(audited) : block.lines
  const body = [...lines, ...block.children.flatMap((child) => ['', ...customLines(child, complain)]), ...more]
  const head = flags.length === 0 ? block.head : `${block.head} flags=(${flags.join(',')})`
  return [`${head} {`, ...body.map((line) => (line === '' ? '' : `  ${line}`)), '}']
}
