/**
 * Abstractions that hold no transition to another profile, nor does anything that they include, in AppArmor 2.13 to
 * 4.1. All others are refused: those of browsers, mail and desktops run programs outside of the profile (`ubuntu-*`,
 * `opencl`), and what a node's own files hold is unknown here.
 */
// biome-ignore format: a table reads better
export const abstractions: readonly string[] = [
  'apache2-common', 'aspell', 'audio', 'base', 'bash', 'consoles', 'crypto', 'cups-client', 'dbus', 'dbus-strict',
  'dri-common', 'dri-enumerate', 'fonts', 'gnupg', 'hosts_access', 'kerberosclient', 'ldapclient', 'likewise', 'mdns', 'mesa',
  'mysql', 'nameservice', 'nis', 'nss-systemd', 'openssl', 'p11-kit', 'perl', 'php', 'php5', 'postfix-common',
  'private-files', 'private-files-strict', 'python', 'ruby', 'smbpass', 'ssl_certs', 'ssl_keys', 'svn-repositories',
  'user-download', 'user-mail', 'user-manpages', 'user-tmp', 'user-write', 'video', 'vulkan', 'wayland', 'web-data', 'winbind',
  'wutmp', 'xad',
]

/** Those that refuse in silence: complain mode lets through what a rule refuses aloud, and only that. */
export const quietAbstractions: readonly string[] = ['private-files', 'private-files-strict']
