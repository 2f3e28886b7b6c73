/** A semantic version. It has no build metadata, because a tag in a registry cannot contain `+`. */
export interface Version {
  core: readonly [number, number, number]
  /** Identifiers after the hyphen, such as rc and 1; empty if the version has no hyphen. */
  prerelease: readonly string[]
}

const number = '(?:0|[1-9]\\d*)'
const identifier = `(?:${number}|\\d*[A-Za-z-][0-9A-Za-z-]*)`
const syntax = new RegExp(`^(${number})\\.(${number})\\.(${number})(?:-(${identifier}(?:\\.${identifier})*))?$`)

/** @returns undefined if the text is not a version */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch, prerelease] = syntax.exec(text) ?? []
  if (major === undefined) return undefined
  return { core: [Number(major), Number(minor), Number(patch)], prerelease: prerelease?.split('.') ?? [] }
}

/** @returns less than 0 if `a` comes before `b`, more than 0 if it comes after `b` */
export function compareVersions(a: Version, b: Version): number {
  const core = a.core.map((value, index) => value - b.core[index]!).find((difference) => difference !== 0)
  if (core !== undefined) return core
  // 1.0.0-rc.1 comes before 1.0.0.
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return b.prerelease.length - a.prerelease.length
  const first = a.prerelease.findIndex((value, index) => value !== b.prerelease[index])
  if (first === -1) return a.prerelease.length - b.prerelease.length
  return compareIdentifiers(a.prerelease[first]!, b.prerelease[first])
}

/** Numbers come before words. If all shared identifiers are equal, the version with more identifiers is later. */
function compareIdentifiers(a: string, b: string | undefined): number {
  if (b === undefined) return 1
  const [left, right] = [a, b].map((each) => (/^\d+$/.test(each) ? Number(each) : undefined))
  if (left !== undefined && right !== undefined) return left - right
  if (left !== undefined) return -1
  if (right !== undefined) return 1
  return a < b ? -1 : 1
}
