//! `keel key`: an account's wallet registers a session key at a node, or revokes one.
//!
//! The wallet's secret can be here (`--wallet`), or where it belongs: then one call prints what is to
//! be signed (`--typed-data`), and another takes the signature (`--signature`).

mod typed_data;

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use client::{ConnectOptions, WalletError, WalletRequest};
use types::auth::SigningKey;
use types::keys::{GrantedMarkets, KeyGrant, KeyScope, Registration, Revocation, WalletSignature};
use types::limits::GRANT_MARKETS_MAX;
use types::wallet::WalletKey;
use types::{AccountId, Atoms, LogTime, MarketId, Nonce, genesis};

use super::connect::{connect_options, public_key, server_pin};
use super::{Failure, keygen, print_line};

/// Options of `keel key`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let a key sign for an account, within limits.
    Register(RegisterOptions),
    /// End a key.
    Revoke(RevokeOptions),
}

#[derive(Debug, clap::Args)]
struct WalletOptions {
    /// The node.
    #[arg(long, value_name = "A", default_value = "127.0.0.1:7001")]
    connect: SocketAddr,
    /// The node's public key as its `ready` line prints it; without it, the development key.
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
    /// The account's number.
    #[arg(long, value_name = "N")]
    account: u32,
    #[command(flatten)]
    signer: SignerOptions,
    /// Above that of every earlier request of the wallet; without it, the time in nanoseconds. A
    /// signature is for the nonce that was signed.
    #[arg(long, value_name = "N")]
    nonce: Option<u64>,
}

/// Where the wallet is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct SignerOptions {
    /// The account's wallet: dev-0 .. dev-63, dev-operator, or a file with its secret in 64
    /// hexadecimal digits.
    #[arg(long, value_name = "W")]
    wallet: Option<String>,
    /// Send nothing: print what the wallet is to sign, as `eth_signTypedData_v4` takes it.
    #[arg(long)]
    typed_data: bool,
    /// What the wallet answered to that: 65 bytes in hexadecimal digits. Repeat all other options, and
    /// give the nonce of the message.
    #[arg(long, value_name = "HEX", requires = "nonce", value_parser = typed_data::parse_signature)]
    signature: Option<WalletSignature>,
}

/// Who signs.
enum Signer {
    Wallet(WalletKey),
    /// It has signed already.
    Elsewhere(WalletSignature),
}

#[derive(Debug, clap::Args)]
struct RegisterOptions {
    #[command(flatten)]
    wallet: WalletOptions,
    /// The key: a file made by `keel keygen`.
    #[arg(long, value_name = "K")]
    key: String,
    /// What it may do.
    #[arg(long, value_enum, default_value_t = ScopeText::Trade)]
    scope: ScopeText,
    /// Numbers of the markets that it may trade in, ascending; without it, all.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    markets: Vec<u16>,
    /// The highest price times size of one order, in quote atoms.
    #[arg(long, value_name = "ATOMS", default_value_t = 0)]
    order_notional: u128,
    /// The highest sum of that over its open orders in one market.
    #[arg(long, value_name = "ATOMS", default_value_t = 0)]
    open_notional: u128,
    /// What it may lose in one market and day.
    #[arg(long, value_name = "ATOMS", default_value_t = 0)]
    daily_loss: u128,
    /// In nanoseconds since the Unix epoch; without it, never.
    #[arg(long, value_name = "NS", default_value_t = 0)]
    expires_at: u64,
}

#[derive(Debug, clap::Args)]
struct RevokeOptions {
    #[command(flatten)]
    wallet: WalletOptions,
    /// The public key to end, in 64 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    public_key: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ScopeText {
    Trade,
    CancelOnly,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start", error))?;
    runtime.block_on(async {
        match &options.action {
            Action::Register(options) => register(options).await,
            Action::Revoke(options) => revoke(options).await,
        }
    })
}

async fn register(options: &RegisterOptions) -> Result<(), Failure> {
    let grant = grant(options)?;
    let session_key = keygen::load(&options.key)?;
    let public = session_key.public();
    let connect = connect(&options.wallet, session_key)?;
    let request = request(&options.wallet)?;
    let Some(signer) = signer(&options.wallet.signer)? else {
        let context = client::wallet_context(&connect, request).await;
        let context = context.map_err(failed)?;
        print_line(&typed_data::registration(&context, public, &grant).to_string());
        return Ok(());
    };
    let registered = client::register_key(&connect, request, |context| match &signer {
        Signer::Wallet(wallet) => wallet.register(context, public, &grant),
        Signer::Elsewhere(signature) => Registration::new(public, &grant, *signature),
    });
    let key = registered.await.map_err(failed)?;
    let object = serde_json::json!({
        "key": key.get(),
        "public_key": public.to_string(),
        "account": options.wallet.account,
        "nonce": request.nonce.get(),
    });
    print_line(&object.to_string());
    Ok(())
}

async fn revoke(options: &RevokeOptions) -> Result<(), Failure> {
    let public = public_key("--public-key", &options.public_key)?;
    // Any key opens a guest's session; one of its own need not be left.
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::failed("no entropy", error))?;
    let session_key = SigningKey::from_seed(seed);
    let connect = connect(&options.wallet, session_key)?;
    let request = request(&options.wallet)?;
    let Some(signer) = signer(&options.wallet.signer)? else {
        let context = client::wallet_context(&connect, request).await;
        let context = context.map_err(failed)?;
        print_line(&typed_data::revocation(&context, public).to_string());
        return Ok(());
    };
    let revoked = client::revoke_key(&connect, request, |context| match &signer {
        Signer::Wallet(wallet) => wallet.revoke(context, public),
        Signer::Elsewhere(signature) => Revocation::new(public, *signature),
    });
    let cancelled = revoked.await.map_err(failed)?;
    let object = serde_json::json!({
        "public_key": public.to_string(),
        "account": options.wallet.account,
        "cancelled": cancelled,
        "nonce": request.nonce.get(),
    });
    print_line(&object.to_string());
    Ok(())
}

fn failed(error: WalletError) -> Failure {
    Failure::Failed(error.to_string())
}

fn grant(options: &RegisterOptions) -> Result<KeyGrant, Failure> {
    let markets: Vec<_> = options.markets.iter().copied().map(MarketId::new).collect();
    let markets = GrantedMarkets::new(&markets).ok_or_else(|| {
        Failure::Usage(format!(
            "--markets: give up to {GRANT_MARKETS_MAX} numbers in ascending order"
        ))
    })?;
    Ok(KeyGrant {
        scope: match options.scope {
            ScopeText::Trade => KeyScope::Trade,
            ScopeText::CancelOnly => KeyScope::CancelOnly,
        },
        markets,
        order_notional_max: Atoms::new(options.order_notional),
        open_notional_max: Atoms::new(options.open_notional),
        daily_loss_max: Atoms::new(options.daily_loss),
        expires_at: LogTime::new(options.expires_at),
    })
}

fn request(options: &WalletOptions) -> Result<WalletRequest, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|error| Failure::failed("this machine's clock", error))?;
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    Ok(WalletRequest {
        account: AccountId::new(options.account),
        nonce: Nonce::new(options.nonce.unwrap_or(now)),
    })
}

fn connect(options: &WalletOptions, key: SigningKey) -> Result<ConnectOptions, Failure> {
    let pin = server_pin(options.pin.as_deref())?;
    Ok(connect_options(options.connect, pin, key))
}

/// Who signs; `None`: the wallet is to be shown what to sign.
fn signer(options: &SignerOptions) -> Result<Option<Signer>, Failure> {
    if let Some(signature) = options.signature {
        return Ok(Some(Signer::Elsewhere(signature)));
    }
    let wallet = options.wallet.as_deref().map(load_wallet).transpose()?;
    Ok(wallet.map(Signer::Wallet))
}

/// The wallet that `--wallet` names.
fn load_wallet(name: &str) -> Result<WalletKey, Failure> {
    if genesis::development_names().any(|known| known == name) {
        return Ok(WalletKey::development(name));
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        Failure::Usage(format!(
            "--wallet {name}: {error}\nhint: give dev-0 .. dev-63, dev-operator, or a file with the \
             secret in 64 hexadecimal digits"
        ))
    })?;
    let secret = types::decimal::bytes_from_hex(text.trim());
    let wallet = secret.and_then(WalletKey::new);
    wallet.ok_or_else(|| Failure::Usage(format!("--wallet {name}: no secp256k1 secret")))
}
