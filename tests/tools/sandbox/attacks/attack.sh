# Tries to get out of a sandbox; standard input says where to, as lines of "kind value".
tried=0
attempt() { # name, command…: a breach is what succeeds
  tried=$((tried + 1))
  local name=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "BREACH $name"; fi
}
read_it() { if [ -d "$1" ]; then [ -n "$(ls -A "$1")" ]; else head -c 16 "$1" | grep -q .; fi; }
make_it() { : >>"$1" && rm "$1"; }
write_it() { : >>"$1"; }
tcp() { timeout 2 bash -c 'exec 3<>/dev/tcp/$0/$1 && echo x >&3' "$1" "$2"; }
udp() { timeout 2 bash -c 'echo x >/dev/udp/$0/$1' "$1" "$2"; }
holds() { tr '\0' '\n' <"$1" | grep -q -- "$canary"; }
higher() { ulimit "$1" && ulimit "$1" $(($(ulimit "$1") + 1)); }

outside() {
  local number=0
  for path in "${reads[@]}"; do
    number=$((number + 1))
    attempt "read $path" read_it "$path"
    attempt "read /proc/self/root$path" read_it "/proc/self/root$path"
    ln -s "$path" "link$number"
    attempt "read through a link to $path" read_it "link$number"
    attempt "second name for $path" ln "$path" "second$number"
    attempt "copy $path" cp -r "$path" "copy$number"
  done
  for path in "${writes[@]}"; do attempt "write $path" make_it "$path"; done
  ln -s "$world" world-link
  attempt "write through a link" make_it world-link/planted
  attempt "move outside" mv link1 "$world/moved"
  attempt "the interpreter" write_it "$BASH"
  attempt "device file" mknod disk b 8 0
  echo x >"/tmp/$token" # its own /tmp is no breach; the host looks whether it is that of all
}
network() {
  for host in 127.0.0.1 0.0.0.0 ::1 "$address" 169.254.169.254; do
    attempt "tcp $host" tcp "$host" "$port"
    udp "$host" "$udp" 2>/dev/null # the host sees whether it arrives
  done
  attempt "a name" tcp example.com 80
  attempt "socket file" write_it "$socket"
}
processes() {
  attempt "signal to the host" kill -0 "$pid"
  attempt "signal to the host's group" kill -0 -- "-$pid"
  for part in environ cmdline maps root/etc cwd fd; do
    attempt "/proc of the host: $part" read_it "/proc/$pid/$part"
  done
  for process in /proc/1 /proc/self /proc/[0-9]*; do
    attempt "secret in environ of $process" holds "$process/environ"
    attempt "secret in cmdline of $process" holds "$process/cmdline"
    attempt "host through root of $process" read_it "$process/root${reads[0]}"
  done
  attempt "secret in variables" eval "env | grep -q -- $canary"
  attempt "priority" renice -n -5 $$
}
privileges() {
  attempt "is root" [ "$(id -u)" = 0 ]
  attempt "group root" [ "$(id -g)" = 0 ]
  attempt "mount" mount -t tmpfs none /tmp
  attempt "bind mount" mount --bind / /tmp
  attempt "remount" mount -o remount,rw /usr
  attempt "umount" umount -l /usr
  attempt "user namespace" unshare -Ur true
  attempt "namespace of 1" nsenter -t 1 -m true
  attempt "chroot" chroot / true
  attempt "su" su -c true
  attempt "trace of 1" strace -p 1 true
  attempt "owner" chown 0:0 .
  for limit in -Hf -Hd -Ht -Hn; do attempt "higher limit $limit" higher "$limit"; done
  for path in "${kernel[@]}"; do attempt "write $path" write_it "$path"; done
}

declare -a reads writes kernel sections
while read -r kind value; do
  case $kind in
    reads) reads+=("$value") ;;
    writes) writes+=("$value") ;;
    kernel) kernel+=("$value") ;;
    sections) sections+=("$value") ;;
    *) declare "$kind=$value" ;;
  esac
done
for section in "${sections[@]}"; do
  if declare -F "$section" >/dev/null; then "$section"; fi
done
echo "TRIED $tried"
