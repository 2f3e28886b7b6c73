/**
 * Whether an API server of this version has `securityContext.appArmorProfile` (Kubernetes 1.30). `major` and `minor`
 * are from `/version`; providers write values such as `29+`.
 * @throws {TypeError} when they are not numbers
 */
export function hasAppArmorField({ major, minor }: { major: string; minor: string }): boolean {
  const [majorNumber, minorNumber] = [major, minor].map((text) => Number.parseInt(text, 10)) as [number, number]
  if (Number.isNaN(majorNumber) || Number.isNaN(minorNumber))
    throw new TypeError(`cannot compare the server version ${major}.${minor} with 1.30`)
  return majorNumber > 1 || (majorNumber === 1 && minorNumber >= 30)
}
