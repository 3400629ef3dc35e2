/// The version of this build, as `CHANGELOG.md` has it: shown by `--version`, in `jobqueue_build_info`, and by workers.
public enum ProductVersion {
    public static let text = "0.1.0"
}
