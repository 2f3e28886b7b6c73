import { choice, list, object, optional, text } from './build.ts'

export const profileTypes = ['BehaviorModel', 'Custom'] as const

export const profileType = (
  description = 'Source of the profile: the model (BehaviorModel), or `customProfile` (Custom).',
) => choice(description, profileTypes)

/** Executables by absolute path. attackProtectionRules and appArmorRawRules both have this field. */
export const targets = () =>
  list(
    'Absolute paths of the programs that the rules apply to; empty: all programs. AppArmor only.',
    text('Absolute path of a program, without wildcards.', {
      maxLength: 4096,
      maxBytes: 4096,
      pattern: '^(/[^/*?{}\\[\\]"\\\\\\x00-\\x1f\\x7f]+)+$',
      form: 'an absolute path without wildcards (* ? [ ] { }), quotes, backslashes and control characters',
      check: 'program',
      code: 'BAD_PATTERN',
    }),
    { maxItems: 256 },
  )

export const appArmorRawRules = object('AppArmor rules as text.', {
  rules: text('One or more rules in the syntax of apparmor.d(5). Each rule ends with a comma.', {
    minLength: 1,
    maxLength: 131_072,
  }),
  targets: optional(targets()),
})

export const appArmorProfile = object(
  'The AppArmor profile of the DefenseInDepth mode.',
  {
    profileType: profileType(),
    customProfile: optional(
      text('A complete AppArmor profile, for profileType Custom. vArmor loads it under the name of the ArmorProfile.', {
        maxLength: 524_288,
      }),
    ),
    appArmorRawRules: optional(
      list('Rules that are added at the end of the profile.', appArmorRawRules, { maxItems: 1024 }),
    ),
  },
  { rulesAt: 'ownProfile' },
)
