# Read before the runner: cargo runs test programs by run.sh. The variable takes precedence over every configuration file.
reporter_cargo() {
    command -v rustc >/dev/null || return 0
    target=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    chmod +x "$reporter/cargo/run.sh" "$reporter/cargo/bin/cargo"
    export "CARGO_TARGET_${target}_RUNNER=$reporter/cargo/run.sh"
    export PATH="$reporter/cargo/bin:$PATH"
}
reporter_cargo
