import { type Evasion, type EvasionTable, table } from './evasion.ts'
import { ofRules, ordinary } from './world.ts'

/**
 * Unusual names as an AppArmor rule writes them, as bash writes them, and as a BPF rule writes them, in which `*`
 * matches any byte.
 */
const odd: [what: string, inPolicy: string, inShell: string, asText: string][] = [
  ['a newline', 'a\\nb', "a$'\\n'b", 'a\nb'],
  ['a double quote', 'a\\"b', "'a\"b'", 'a"b'],
  ['a single quote', "a'b", '"a\'b"', "a'b"],
  ['a star', 'a\\*b', "'a*b'", 'a*b'],
  ['braces and a comma', 'a\\{b\\,c\\}', "'a{b,c}'", 'a{b,c}'],
  ['brackets', 'a\\[b\\]', "'a[b]'", 'a[b]'],
  ['a backslash', 'a\\\\b', "'a\\b'", 'a\\b'],
  ['spaces', ' a b ', "' a b '", ' a b '],
  ['a hash sign', '#a', "'#a'", '#a'],
  ['bytes that are no UTF-8', 'a\\377\\300b', "a$'\\377\\300'b", 'a*b'],
  ['all bytes below a space', 'a\\001\\t\\033\\177b', "a$'\\001\\t\\033\\177'b", 'a\x01\t\x1b\x7fb'],
  ['letters beyond ASCII', 'grün名', "'grün名'", 'grün名'],
]

const bash = (line: string): readonly string[] => ['bash', '-c', line]

const rules = odd.map(([, inPolicy]) => `deny "/data/odd/${inPolicy}" r,`).join('\n')
const files = odd.map(([, , , asText]) => ({ pattern: `/data/odd/${asText}`, permissions: ['read'] }))
const exact = odd.map(
  ([what, , name]): Evasion => ({
    way: `a name with ${what}`,
    prepare: bash(`mkdir /data/odd && echo the secret > /data/odd/${name}`),
    attack: bash(`cat /data/odd/${name}`),
  }),
)

export const names: readonly EvasionTable[] = [
  table(
    'evasions: odd names in rules',
    { policy: ofRules('odd-names', { appArmorRawRules: [{ rules }], bpfRawRules: { files } }), gain: 'the secret' },
    exact,
  ),

  table('evasions: odd names below a protected directory', { policy: ordinary('names'), gain: 'the secret' }, [
    ...odd.map(
      ([what, , name]): Evasion => ({
        way: `a name with ${what}`,
        prepare: bash(`mkdir /data/vault/${name} && echo the secret > /data/vault/${name}/${name}`),
        attack: bash(`cat /data/vault/${name}/${name}`),
      }),
    ),
    {
      way: 'renamed by way of an odd name',
      attack: bash("mv /data/vault $'/data/\\n' && cat $'/data/\\n/key'"),
    },
  ]),
]
