import { everythingForAppArmor } from '../api/apparmor-everything.ts'

/**
 * Returns a profile that allows everything. It replaces the profile of a removed policy while pods still refer to it.
 * It has the same child profiles, because processes may run in these.
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
