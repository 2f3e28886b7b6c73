/** What no log may have: tokens of service accounts (and any other JWT), keys and certificates' keys in PEM, also in base64, and headers that carry one. */
const secret = new RegExp(
  [
    'eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}\\.[\\w-]{10,}',
    '-----BEGIN [A-Z ]*PRIVATE KEY',
    // The same two in base64, as objects have them.
    'ZXlK[A-Za-z0-9+/]{40,}',
    'LS0tLS1CRUdJTiB[A-Za-z0-9+/]*(?:UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW)',
    'client-key-data',
    '[Aa]uthorization["\']?\\s*[:=]\\s*["\']?(?:Bearer|Basic) \\S+',
  ].join('|'),
  'g',
)

/** Secrets in a text, each cut to what shows what it is. */
export const secretsIn = (text: string): string[] => (text.match(secret) ?? []).map((found) => `${found.slice(0, 24)}…`)
