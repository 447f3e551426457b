# relay.py in Perl, for images without Python: Debian's have at least perl-base. Only modules that are part of it.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Socket qw(PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR INADDR_LOOPBACK IPPROTO_TCP TCP_NODELAY pack_sockaddr_in unpack_sockaddr_in);

my ($OPEN, $DATA, $END, $RESET, $CREDIT, $READY) = (0 .. 5);
my ($WINDOW, $CHUNK) = (1 << 20, 1 << 16);
my %connections;
my ($numbers, $buffer) = (0, '');
$SIG{PIPE} = 'IGNORE';

sub transmit {
    my ($number, $kind, $data) = @_;
    my $frame = pack('NCN', $number, $kind, length $data) . $data;
    while (length $frame) {
        my $sent = syswrite STDOUT, $frame;
        if (defined $sent) { substr($frame, 0, $sent) = '' }
        elsif ($! != EINTR) { exit 0 }    # the host has hung up
    }
}

sub forget {
    my ($number) = @_;
    my $connection = delete $connections{$number} or return;
    close $connection->{peer};
}

sub reset_connection {
    my ($number) = @_;
    transmit($number, $RESET, '');
    forget($number);
}

sub close_finished {
    my ($number) = @_;
    my $connection = $connections{$number} or return;
    forget($number) if $connection->{host_ended} && $connection->{peer_ended} && !length $connection->{waiting};
}

sub end_output {
    my ($connection) = @_;
    shutdown $connection->{peer}, 1 if $connection->{host_ended} && !length $connection->{waiting};
}

sub obey {
    my ($number, $kind, $data) = @_;
    my $connection = $connections{$number} or return;
    if ($kind == $DATA) { $connection->{waiting} .= $data }
    elsif ($kind == $CREDIT) { $connection->{credit} += unpack 'N', $data }
    elsif ($kind == $RESET) { forget($number) }
    elsif ($kind == $END) {
        $connection->{host_ended} = 1;
        end_output($connection);
        close_finished($number);
    }
}

sub receive {
    my $count = sysread STDIN, my $data, $CHUNK;
    if (!defined $count) { return if $! == EINTR; exit 0 }
    exit 0 unless $count;
    $buffer .= $data;
    while (length $buffer >= 9) {
        my ($number, $kind, $size) = unpack 'NCN', $buffer;
        last if length $buffer < 9 + $size;
        my $content = substr $buffer, 9, $size;
        substr($buffer, 0, 9 + $size) = '';
        obey($number, $kind, $content);
    }
}

sub accept_one {
    my ($listener) = @_;
    accept(my $peer, $listener) or return;
    fcntl $peer, F_SETFL, fcntl($peer, F_GETFL, 0) | O_NONBLOCK;
    setsockopt $peer, IPPROTO_TCP, TCP_NODELAY, 1;
    $numbers++;
    $connections{$numbers} = { peer => $peer, credit => $WINDOW, waiting => '', host_ended => 0, peer_ended => 0 };
    transmit($numbers, $OPEN, '');
}

sub write_to {
    my ($number) = @_;
    my $connection = $connections{$number} or return;
    my $sent = syswrite $connection->{peer}, $connection->{waiting};
    if (!defined $sent) { reset_connection($number) unless $! == EAGAIN || $! == EINTR; return }
    substr($connection->{waiting}, 0, $sent) = '';
    transmit($number, $CREDIT, pack 'N', $sent);
    end_output($connection);
    close_finished($number);
}

sub read_from {
    my ($number) = @_;
    my $connection = $connections{$number} or return;
    my $most = $connection->{credit} < $CHUNK ? $connection->{credit} : $CHUNK;
    my $count = sysread $connection->{peer}, my $data, $most;
    if (!defined $count) { reset_connection($number) unless $! == EAGAIN || $! == EINTR; return }
    $connection->{credit} -= $count;
    $connection->{peer_ended} = 1 unless $count;
    transmit($number, $count ? $DATA : $END, $data);
    close_finished($number);
}

sub serve {
    my ($listener) = @_;
    while (1) {
        my ($reading, $writing) = ('', '');
        vec($reading, fileno STDIN, 1) = 1;
        vec($reading, fileno $listener, 1) = 1;
        for my $connection (values %connections) {
            my $descriptor = fileno $connection->{peer};
            vec($reading, $descriptor, 1) = 1 if $connection->{credit} > 0 && !$connection->{peer_ended};
            vec($writing, $descriptor, 1) = 1 if length $connection->{waiting};
        }
        next if select($reading, $writing, undef, undef) < 0;
        my %descriptors = map { $_ => fileno $connections{$_}{peer} } keys %connections;
        for my $number (keys %descriptors) {
            write_to($number) if vec $writing, $descriptors{$number}, 1;
            read_from($number) if vec $reading, $descriptors{$number}, 1;
        }
        accept_one($listener) if vec $reading, fileno $listener, 1;
        receive() if vec $reading, fileno STDIN, 1;
    }
}

socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
if (!bind($listener, pack_sockaddr_in($ARGV[0], INADDR_LOOPBACK)) || !listen($listener, 64)) {
    transmit(0, $RESET, "$!");
    exit 0;
}
fcntl $listener, F_SETFL, fcntl($listener, F_GETFL, 0) | O_NONBLOCK;
my ($port) = unpack_sockaddr_in(getsockname $listener);
transmit(0, $READY, "$port");
serve($listener);
