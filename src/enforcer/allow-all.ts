import { everythingForAppArmor } from '../api/apparmor-everything.ts'

/**
 * What takes the place of a profile that pods still refer to when its policy is gone. A process stays in its child
 * profile.
 */
export function allowingAppArmor(name: string, children: readonly string[]): string {
  const block = (of: string, indent: string, more: readonly string[] = []): string[] => [
    `${indent}profile ${of} flags=(attach_disconnected,mediate_deleted) {`,
    ...everythingForAppArmor.map((rule) => `${indent}  ${rule}`),
    ...more,
    `${indent}}`,
  ]
  const about = `# ${name}: its policy was removed; it allows everything until no pod names it.`
  return `${[
    about,
    'abi <abi/3.0>,',
    ...block(
      name,
      '',
      children.flatMap((child) => block(child, '  ')),
    ),
  ].join('\n')}\n`
}

export const allowingSeccomp = '{"defaultAction":"SCMP_ACT_ALLOW"}'
