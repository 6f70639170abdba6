# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts in tools/ share: messages, the cache directory, and one emulated machine.
# Sourced by bash scripts; paths of this project are taken from $POSTERN_TOP.
#
# A script that starts a machine calls, in this order: scratch_make, initrd_make, machine_prepare,
# machine_boot, machine_run, machine_status. Everything temporary is in $scratch, and nothing
# survives the script: QEMU is ended when the script ends, by whatever cause.

POSTERN_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
POSTERN_CACHE=${POSTERN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/postern}

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die MESSAGE: one line and status 125, "Postern or its tools failed"
die()
{
	say "$*"
	exit 125
}

# usage_error MESSAGE: one line and status 2, "called wrongly"
usage_error()
{
	say "$* (see ${0##*/} --help)"
	exit 2
}

# The opening comment of a script is its help.
show_help()
{
	sed -n '/^[^#]/q; 4,$ { s/^# \{0,1\}//p }' "$0"
}

need_file()
{
	[ -f "$1" ] && [ -r "$1" ] || die "cannot read $1${2:+: $2}"
}

qemu_is_new()
{
	local version
	version=$("$1" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p')
	[ "${version:-0}" -ge 10 ]
}

scratch_make()
{
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/postern.XXXXXX")
	qemu_pid=
	reader_pids=()
	stream_fds=()
	trap scratch_remove EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

scratch_remove()
{
	trap '' INT TERM HUP
	if [ -n "$qemu_pid" ]; then
		kill -TERM "$qemu_pid" 2>/dev/null || true
		wait "$qemu_pid" 2>/dev/null || true
	fi
	[ ${#reader_pids[@]} = 0 ] || kill "${reader_pids[@]}" 2>/dev/null || true
	rm -rf "$scratch"
}

# initrd_make HOSTFILE:GUESTPATH...: $scratch/initrd.cpio, newc
initrd_make()
{
	local pair host guest

	mkdir -p "$scratch/root"
	for pair in "$@"; do
		host=${pair%:*} guest=${pair##*:}
		case $guest in
		/*[!/]) ;;
		*) usage_error "$pair is not HOSTFILE:/GUESTPATH" ;;
		esac
		case $guest/ in
		*/../* | */./*) usage_error "$guest: a path in the guest has no . or .. in it" ;;
		esac
		need_file "$host"
		mkdir -p "$scratch/root${guest%/*}"
		cp -L "$host" "$scratch/root$guest"
	done
	(cd "$scratch/root" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet --reproducible -R 0:0 -o -H newc) >"$scratch/initrd.cpio"
}

# An argument as the kernel's command line takes it: as it is, or, when it is empty or holds a
# blank, a quote or a backslash, in double quotes with a backslash before each " and \.
quote_argument()
{
	local text=$1
	case $text in
	'' | *[[:space:]\"\\]*)
		text=${text//\\/\\\\}
		text=\"${text//\"/\\\"}\"
		;;
	esac
	printf '%s' "$text"
}

# machine_prepare [QEMU-WORD...]: QEMU and the machine without what it boots, in qemu_command.
# The caller's words come last and so replace -m, -smp and -cpu; -accel and intel-iommu, which
# QEMU would add to ours, replace ours here. The word no-iommu leaves the IOMMU out.
machine_prepare()
{
	local word iommu=yes accel=yes

	qemu=${QEMU:-qemu-system-x86_64}
	qemu_is_new "$qemu" || die "$qemu is not there or older than version 10: run tools/setup, or give QEMU="
	extra_words=()
	for word in "$@"; do
		case $word in
		no-iommu) iommu=no; continue ;;
		intel-iommu*) iommu=no ;;
		-accel) accel=no ;;
		esac
		extra_words+=("$word")
	done
	qemu_command=("$qemu" -no-user-config -nodefaults -machine q35 -cpu max -smp 2 -m 2G
		-nic none -display none -no-reboot -boot menu=off,splash-time=0
		-device isa-debug-exit,iobase=0xf4,iosize=0x04)
	[ $accel = no ] || qemu_command+=(-accel "${ACCEL:-tcg}")
	[ $iommu = no ] || qemu_command+=(-device intel-iommu,intremap=on,eim=on,aw-bits=48)
}

# machine_serial INDEX FILE: serial port ttySINDEX writes to a file or fifo. Firmware talks on ttyS0
# and ttyS1, so what must be clean is on ttyS2 and ttyS3.
machine_serial()
{
	qemu_command+=(-chardev "file,id=tty$1,path=${2//,/,,}" -device "isa-serial,chardev=tty$1,index=$1")
}

# machine_boot fast|uefi|linux COMMAND-LINE: what it boots, from $scratch/initrd.cpio; with first_efi
# set, firmware starts that file, which finds Postern as \EFI\BOOT\POSTERN.EFI
machine_boot()
{
	local build=$POSTERN_TOP/build code vars

	if [ "$1" = linux ]; then
		need_file "$POSTERN_CACHE/linux/vmlinuz" "run tools/setup linux"
		qemu_command+=(-kernel "$POSTERN_CACHE/linux/vmlinuz" -initrd "$scratch/initrd.cpio" -append "$2")
		return
	fi
	if [ "$1" = fast ]; then
		need_file "$build/postern.elf" "run make"
		qemu_command+=(-kernel "$build/postern.elf" -initrd "$scratch/initrd.cpio" -append "$2")
		return
	fi
	need_file "$build/postern.efi" "run make"
	code=${OVMF:-/usr/share/OVMF/OVMF_CODE_4M.fd}
	need_file "$code" "run tools/setup, or give OVMF="
	vars=$(dirname "$code")/$(basename "$code" | sed 's/CODE/VARS/; s/\.secboot//; s/\.ms\././')
	if [ "$vars" != "$code" ] && [ -f "$vars" ]; then
		cp "$vars" "$scratch/vars.fd"
		chmod u+w "$scratch/vars.fd"
		qemu_command+=(-drive "if=pflash,format=raw,readonly=on,file=$code"
			-drive "if=pflash,format=raw,file=$scratch/vars.fd")
	else
		qemu_command+=(-bios "$code")
	fi
	printf '%s' "$2" >"$scratch/cmdline"
	esp_make "$build/postern.efi"
	qemu_command+=(-drive "if=none,id=esp,format=raw,file=$scratch/esp.img"
		-device ide-hd,drive=esp,bus=ide.0,bootindex=0)
}

# The EFI system partition, as one would copy it to a USB stick.
esp_make()
{
	local kib
	kib=$(($(du -k --apparent-size -c "$1" "$scratch/initrd.cpio" | tail -n 1 | cut -f 1) + 4096))
	[ $kib -ge 40960 ] || kib=40960
	truncate -s "${kib}K" "$scratch/esp.img"
	export MTOOLS_SKIP_CHECK=1
	mformat -i "$scratch/esp.img" -F -v POSTERN ::
	mmd -i "$scratch/esp.img" ::/EFI ::/EFI/BOOT ::/postern
	mcopy -i "$scratch/esp.img" "${first_efi:-$1}" ::/EFI/BOOT/BOOTX64.EFI
	[ -z "${first_efi:-}" ] || mcopy -i "$scratch/esp.img" "$1" ::/EFI/BOOT/POSTERN.EFI
	mcopy -i "$scratch/esp.img" "$scratch/initrd.cpio" "$scratch/cmdline" ::/postern/
}

# machine_stream NAME COMMAND...: makes the fifo $scratch/NAME, whose bytes COMMAND reads. This
# script holds the fifo open for writing until QEMU is gone: then COMMAND sees its end, even if
# QEMU never opened it.
machine_stream()
{
	local fifo=$scratch/$1 fd
	shift
	mkfifo "$fifo"
	(streams_close; exec "$@") <"$fifo" &
	reader_pids+=($!)
	exec {fd}>"$fifo"
	stream_fds+=("$fd")
}

# machine_monitor: QEMU's monitor obeys what is written to $scratch/monitor.in
machine_monitor()
{
	mkfifo "$scratch/monitor.in"
	machine_stream monitor.out sh -c 'exec cat >/dev/null'
	qemu_command+=(-monitor "pipe:$scratch/monitor")
}

# A bash script: copies lines, and gives those that begin with "qemu: " to the monitor at $0. Opened
# for both directions, a fifo never waits for its other end.
machine_relay='exec 3<>"$0"
while IFS= read -r line || [ -n "$line" ]; do
	printf "%s\n" "$line"
	[[ $line != "qemu: "* ]] || printf "%s\n" "${line#qemu: }" >&3
done'

streams_close()
{
	local fd
	for fd in "${stream_fds[@]}"; do
		exec {fd}>&-
	done
	stream_fds=()
}

# machine_run SECONDS: runs until the machine ends; 0, or 124 when the time is up. QEMU ends when
# this script dies, whatever killed it.
machine_run()
{
	local status=0

	(streams_close; exec setpriv --pdeathsig TERM timeout --foreground -k 5 "$1" setpriv --pdeathsig KILL \
		"${qemu_command[@]}" "${extra_words[@]}") </dev/null >/dev/null 2>"$scratch/qemu.err" &
	qemu_pid=$!
	wait "$qemu_pid" || status=$?
	qemu_pid=
	streams_close
	[ ${#reader_pids[@]} = 0 ] || wait "${reader_pids[@]}" || true
	reader_pids=()
	case $status in
	124 | 137) return 124 ;;
	esac
}

# machine_status LOG: prints the exit status that the system wrote as the log's last line
machine_status()
{
	tail -n 1 "$1" | tr -d '\r' | sed -n 's/^\(\[ *[0-9.]*\] \)\{0,1\}\(postern\|linux\): exit status \([0-9]\{1,3\}\)$/\3/p'
}

# machine_result LOG SECONDS RUN-STATUS [SYSTEM]: says what went wrong, if anything; sets result to the
# exit status: the program's, 124 (time-out) or 125 (Postern, or the other system, failed).
machine_result()
{
	local system=${4:-Postern}
	result=$(machine_status "$1")
	if [ "$3" = 124 ]; then
		result=124
		say "no end after $2 seconds"
	elif [ -z "$result" ]; then
		result=125
		say "$system ended without an exit status"
		head -n 5 "$scratch/qemu.err" >&2
	elif [ "$result" = 125 ]; then
		say "$system failed: $(tr -d '\r' <"$1" | grep -v ': exit status\|audit: clean' | tail -n 1)"
	fi
}
