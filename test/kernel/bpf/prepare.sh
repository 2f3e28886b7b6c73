# Creates the files for attack.c.
set -e
mkdir -p /deny/a/b /deny/empty /deny/long /deny/deep /secret /free/m /free/p /free/own /deny/volume /gone/folder
mount -t tmpfs none /free/own
mount -t tmpfs none /deny/volume
mkdir /deny/volume/below
mkfifo /deny/pipe
mknod /free/disk b 254 0
for socket in /deny/socket /free/socket; do
    node -e "require('net').createServer().listen('$socket')" > /dev/null 2>&1 < /dev/null &
    until [ -S $socket ]; do sleep 0.1; done
done
for file in /deny/a/b/c /free/ok /gone/file /denied /secret/s /secret/s2; do echo x > $file; done
cp /bin/busybox /usr/bin/noexec
printf '#!/usr/bin/noexec\n' > /tmp/script
chmod +x /tmp/script
deep=/deny/deep
for i in $(seq 40); do deep=$deep/d; done
mkdir -p $deep
echo x > $deep/f
cd /deny/long
name=n
for i in $(seq 7); do name=$name$name; done
for i in $(seq 40); do mkdir $name && cd -P $name; done
echo x > f
