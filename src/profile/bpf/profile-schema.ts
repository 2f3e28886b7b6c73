import { type TProperties, Type } from '@sinclair/typebox'
import type { LabelSelector, ModelBpf } from '../../api/types.ts'
import { capabilities } from '../../rules/capabilities.ts'
import { socketDomains, socketProtocols, socketTypes } from '../../rules/meaning.ts'
import { mountOperations, ptraceAccess } from './bpf-profile.ts'
import { egressProtocols } from './port-set.ts'

const u32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff })
const mask64 = Type.Tuple([u32, u32])
const text = Type.String()
const flag = Type.Boolean()
const port = Type.Integer({ minimum: 0, maximum: 0xffff })
const optional = Type.Optional
const list = Type.Array

const verdict = { deny: flag, audit: flag }
const object = <Fields extends TProperties>(fields: Fields) => Type.Object(fields, { additionalProperties: false })
const rule = <Fields extends TProperties>(fields: Fields) => object({ ...verdict, ...fields })
const oneOf = <const Word extends string>(words: readonly Word[]) =>
  Type.Unsafe<Word>(Type.Union(words.map((word) => Type.Literal(word))))
const keysOf = <Word extends string>(of: Readonly<Record<Word, unknown>>) => Object.keys(of) as Word[]

const automaton = object({ states: u32, classes: u32, bytes: u32, start: u32, cells: u32, table: text })
const access = oneOf(['read', 'write', 'append', 'exec'])

const files = object({
  rules: list(
    object({ pattern: text, deny: list(access), audit: list(access), way: flag, except: optional(list(text)) }),
  ),
  any: u32,
  automaton: optional(automaton),
})

const patternSets = object({ always: list(u32), sets: list(list(u32)), automaton: optional(automaton) })

const mountRule = rule({
  allow: optional(Type.Literal(true)),
  operations: list(oneOf(keysOf(mountOperations))),
  set: u32,
  clear: u32,
  fstype: optional(text),
  source: optional(text),
  target: optional(text),
})

const socketRule = rule({
  domains: optional(list(oneOf(socketDomains))),
  types: optional(list(oneOf(socketTypes))),
  protocols: optional(list(oneOf(socketProtocols))),
  domainMask: mask64,
  typeMask: u32,
  protocolMask: mask64,
})

const ports = list(
  object({ port: optional(port), endPort: optional(port), protocol: optional(oneOf(egressProtocols)) }),
)
/** Any object is accepted: the API server has checked the selector, and the selector makes no entries of its own. */
const selector = Type.Unsafe<LabelSelector>(Type.Object({}))
const reference = Type.Union([
  rule({ kind: Type.Literal('service'), ports, namespace: text, name: text }),
  rule({ kind: Type.Literal('services'), ports, namespace: text, selector }),
  rule({ kind: Type.Literal('pods'), ports, namespace: text, selector }),
  rule({ kind: Type.Literal('pod-self'), ports }),
])

const prefix = Type.Tuple([text, u32])
const egress = object({
  destinations: list(rule({ to: text, ports })),
  references: list(reference),
  table: object({
    v4: list(prefix),
    v6: list(prefix),
    portSets: list(list(Type.Tuple([u32, u32, u32]))),
    own: optional(u32),
  }),
})

const ptraceRule = rule({ access: list(oneOf(keysOf(ptraceAccess))), scope: oneOf(['all', 'outside']) })

/** The JSON of a BpfProfile. An unknown field is an error, because the agent would not enforce it. */
export const bpfProfileSchema = object({
  mode: oneOf(['enforce', 'complain']),
  unlisted: optional(object(verdict)),
  // The agent does not use this field.
  allowed: optional(Type.Unsafe<ModelBpf>(Type.Object({}))),
  files,
  mounts: optional(object({ rules: list(mountRule), sources: patternSets, targets: patternSets })),
  capabilities: optional(
    object({
      deny: list(oneOf(capabilities)),
      audit: list(oneOf(capabilities)),
      denyMask: mask64,
      auditMask: mask64,
    }),
  ),
  sockets: list(socketRule),
  egress: optional(egress),
  ptrace: optional(
    object({ rules: list(ptraceRule), denyAll: u32, denyOutside: u32, auditAll: u32, auditOutside: u32 }),
  ),
  userns: optional(object(verdict)),
  userfaultfd: optional(object(verdict)),
  bpf: list(rule({ command: oneOf(['prog_load', 'map_create']) })),
  blockDevices: u32,
})
